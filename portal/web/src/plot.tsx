// A plot of figures over time (uPlot), with the same figures as a table for whoever cannot see it.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useLanguage } from "./ui";

export interface Series { label: string; values: (number | null)[]; bars?: boolean }
const colours = ["--plot1", "--plot2", "--plot3", "--plot4"];

// `at`: seconds since 1970, ascending; or category names.
// `step`: seconds that one figure stands for.
export function Plot({ title, at, names, series, step = 60 }: { title: string; at: number[]; names?: string[]; series: Series[]; step?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const language = useLanguage();
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watcher = new ResizeObserver(() => setWidth(box.current?.clientWidth ?? 0));
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (!box.current || width === 0 || at.length === 0) return undefined;
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--soft").trim();
    const font = `${Math.round(parseFloat(style.fontSize) * 0.72)}px system-ui, sans-serif`;
    const size = parseFloat(style.fontSize);
    const locale = language === "zh" ? "zh-CN" : "en-GB";
    const axis: uPlot.Axis = { stroke: ink, font, grid: { stroke: style.getPropertyValue("--line").trim() + "55", width: 1 }, ticks: { show: false } };
    const span = (at[at.length - 1] ?? 0) - (at[0] ?? 0);
    // One figure alone stands in the middle of its day, or of its minutes.
    const beside = names ? 0.6 : Math.max(span * 0.02, step / 2);
    const label = (s: number) => new Date(s * 1000).toLocaleString(locale, span > 3 * 86_400 || step >= 86_400 ? { month: "numeric", day: "numeric" } : { hour: "2-digit", minute: "2-digit" });
    const plot = new uPlot({
      width, height: Math.round(size * 13), cursor: { drag: { x: false, y: false } }, legend: { show: true },
      scales: { x: { time: !names, range: (_u, min, max) => [min - beside, max + beside] }, y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.05)] } },
      axes: [
        names ? { ...axis, splits: () => at, values: (_u, s) => s.map((i) => names[i] ?? ""), space: 30 } : { ...axis, values: (_u, s) => s.map(label), incrs: [60, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800, 2_592_000].filter((i) => i >= Math.min(step, 86_400)) },
        { ...axis, size: size * 2.6, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000] },
      ],
      series: [{ label: names ? " " : language === "zh" ? "时间" : "Time", value: (_u, s) => (s === null ? "" : names ? names[s] ?? "" : new Date(s * 1000).toLocaleString(locale)) },
        ...series.map((s, i) => {
          const colour = style.getPropertyValue(colours[i % colours.length] ?? "").trim();
          return { label: s.label, stroke: colour, width: 2, fill: s.bars ? colour + "66" : undefined, points: { show: at.length < 40 }, paths: s.bars && uPlot.paths.bars ? uPlot.paths.bars({ size: [0.6, 60] }) : undefined } as uPlot.Series;
        })],
    }, [at, ...series.map((s) => s.values)] as uPlot.AlignedData, box.current);
    return () => plot.destroy();
  }, [width, at, names, series, language, step]);
  return (
    <figure class="plot">
      <figcaption>{title}</figcaption>
      <div ref={box} aria-hidden="true" />
    </figure>
  );
}
