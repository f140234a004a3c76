// Three pages: one for residents and one for staff, so that a resident's phone loads nothing of the other; and, in mode
// "ops", the dashboard, whose files serve from any folder.
import { gzipSync } from "node:zlib";
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

// The server sends what was packed once, as small as it gets.
function packed(page) {
  let out = "dist";
  const pack = (folder) => {
    for (const name of readdirSync(folder)) {
      const file = join(folder, name);
      if (statSync(file).isDirectory()) pack(file);
      else if (!name.endsWith(".gz")) writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
    }
  };
  const close = () => {
    if (page) {
      // A broker's own HTTP folder names no types: a browser then runs plain scripts, and no modules.
      const html = readFileSync(join(out, page), "utf8").replace(/ type="module" crossorigin/g, " defer").replace(/ crossorigin/g, "");
      renameSync(join(out, page), join(out, "index.html"));
      writeFileSync(join(out, "index.html"), html);
    }
    pack(out);
  };
  return { name: "packed", apply: "build", configResolved: (c) => { out = c.build.outDir; }, closeBundle: close };
}

export default defineConfig(({ mode }) => {
  const ops = mode === "ops";
  const pages = process.env.PORTAL_PAGES ?? "dist";
  return {
    base: ops ? "./" : "/",
    publicDir: ops ? "public-ops" : "public",
    define: { "process.env.NODE_ENV": JSON.stringify("production") },
    esbuild: { jsx: "automatic", jsxImportSource: "preact" },
    plugins: [packed(ops ? "ops.html" : "")],
    worker: { format: "iife" },
    build: {
      target: ops ? "es2020" : "es2017",
      cssTarget: "chrome61",
      outDir: ops ? join(pages, "ops") : pages,
      emptyOutDir: true,
      cssCodeSplit: !ops,
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 1000,
      modulePreload: { polyfill: false },
      rollupOptions: ops ? { input: ["ops.html"], output: { format: "iife" } } : { input: ["index.html", "staff.html"] },
    },
  };
});
