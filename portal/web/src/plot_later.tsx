// The plot's library is loaded by whoever looks at a plot, and by nobody else.
import type { ComponentProps, FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Plot } from "./plot";

type Properties = ComponentProps<typeof Plot>;

export function lazyPlot(): FunctionComponent<Properties> {
  let loaded: typeof Plot | null = null;
  return (p: Properties) => {
    const [Shown, show] = useState<{ it: typeof Plot | null }>({ it: loaded });
    useEffect(() => { if (!loaded) void import("./plot").then((m) => { loaded = m.Plot; show({ it: m.Plot }); }); }, []);
    return Shown.it ? <Shown.it {...p} /> : <p class="hint">…</p>;
  };
}
