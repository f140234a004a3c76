// What the dashboard's views share: ages, states in words and signs, the link to a cabinet.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Words } from "../api";
import { alarms } from "../staff_words";
import { useLanguage, useWords } from "../ui";
import { w } from "../words";
import type { Alarm, State, Tile } from "./fleet";
import { opsWords } from "./words";

export const to = (path: string) => `#/${path}`;

export function useHash(): string[] {
  const read = () => {
    const given = location.hash.replace(/^#\/?/, "");
    try { return decodeURIComponent(given).split("/"); } catch { return given.split("/"); }
  };
  const [path, setPath] = useState(read);
  useEffect(() => {
    const moved = () => setPath(read());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return path;
}

// Ages go on without any news.
export function useNow(everyMs = 20_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

const units: [number, Words, Words][] = [
  [86_400_000, w("{n} 天", "{n} days"), w("{n} 天", "1 day")],
  [3_600_000, w("{n} 小时", "{n} hours"), w("{n} 小时", "1 hour")],
  [60_000, w("{n} 分钟", "{n} minutes"), w("{n} 分钟", "1 minute")],
];
export function useAge() {
  const t = useWords();
  return (ms: number) => {
    for (const [unit, many, one] of units) {
      if (ms >= unit) { const n = Math.floor(ms / unit); return t(n === 1 ? one : many, { n }); }
    }
    return t(w("1 分钟内", "under a minute"));
  };
}

export function useClock() {
  const language = useLanguage();
  return (ms: number) => (ms > 0 ? new Date(ms).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" }) : "—");
}

export const kindWords = (kind: string): Words => alarms[kind]?.what ?? w(kind, kind);

export function useAlarmTitle() {
  const t = useWords();
  return (a: Alarm) => `${t(kindWords(a.kind))}${a.which ? (/^\d+$/.test(a.which) ? ` · ${t("doorN", { n: a.which })}` : ` · ${a.which}`) : ""}`;
}

export const stateWords: Record<Exclude<State, "alarm">, Words> = { never: opsWords.never, offline: opsWords.offline, silent: opsWords.silent, ok: opsWords.ok };
export const away = (t: Tile) => t.state === "never" || t.state === "offline" || t.state === "silent";
// Never by colour alone.
export const signs: Record<State, string> = { never: "○", offline: "✕", silent: "…", alarm: "!", ok: "✓" };
export const tone = (t: Tile) => (t.rank <= 1 ? "bad" : t.rank <= 3 ? "warn" : t.rank < 9 ? "mild" : "good");

export function Chip({ on, tap, children }: { on: boolean; tap: () => void; children: ComponentChildren }) {
  return <button type="button" class="chip" aria-pressed={on} onClick={tap}>{children}</button>;
}

// What to do about one that is away.
export const awayHint = (t: Tile): Words | null => (t.state === "never" ? opsWords.neverHint : t.state === "offline" ? opsWords.offlineHint : t.state === "silent" ? opsWords.silentHint : null);

export const space = (mib: number) => (mib >= 10_240 ? `${Math.round(mib / 1024)} GiB` : `${mib} MiB`);
