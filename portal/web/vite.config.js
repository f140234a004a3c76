// Two pages, one for residents and one for staff, so that a resident's phone loads nothing of the other.
import { gzipSync } from "node:zlib";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

// The server sends what was packed once, as small as it gets.
function packed() {
  let out = "dist";
  const pack = (folder) => {
    for (const name of readdirSync(folder)) {
      const file = join(folder, name);
      if (statSync(file).isDirectory()) pack(file);
      else if (!name.endsWith(".gz")) writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
    }
  };
  return { name: "packed", apply: "build", configResolved: (c) => { out = c.build.outDir; }, closeBundle: () => pack(out) };
}

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  plugins: [packed()],
  build: {
    target: "es2017",
    cssTarget: "chrome61",
    outDir: process.env.PORTAL_PAGES ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "staff.html"] },
  },
});
