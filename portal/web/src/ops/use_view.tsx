// Occupancy and use over time, as far as this page has listened.
import { useMemo } from "preact/hooks";
import { Plot } from "../plot";
import { Heading, useLanguage, useWords } from "../ui";
import type { Sample } from "./link";
import { opsWords } from "./words";

const hour = 3600;

export function UseView({ samples, portal }: { samples: Sample[]; portal: boolean }) {
  const t = useWords();
  const language = useLanguage();
  const at = useMemo(() => samples.map((s) => s.at / 1000), [samples]);
  const occupancy = useMemo(() => [{ label: t(opsWords.occupancy), values: samples.map((s) => s.occupied) }], [samples, language]);
  const online = useMemo(() => [{ label: t(opsWords.onlineCabinets), values: samples.map((s) => s.online) }], [samples, language]);
  const hours = useMemo(() => {
    const sums = new Map<number, { put: number; taken: number }>();
    for (const s of samples) {
      const h = Math.floor(s.at / 1000 / hour) * hour;
      const sum = sums.get(h) ?? { put: 0, taken: 0 };
      sums.set(h, { put: sum.put + s.put, taken: sum.taken + s.taken });
    }
    return [...sums].sort((a, b) => a[0] - b[0]);
  }, [samples]);
  const hoursAt = useMemo(() => hours.map(([h]) => h), [hours]);
  const perHour = useMemo(() => [{ label: t(opsWords.deposits), values: hours.map(([, s]) => s.put), bars: true }, { label: t(opsWords.retrievals), values: hours.map(([, s]) => s.taken) }], [hours, language]);
  const last = samples[samples.length - 1];
  return (
    <>
      <Heading>{t(opsWords.use)}</Heading>
      <p class="hint">{t(opsWords.sincePage)}{portal && <> <a href="/admin/statistics">{t(opsWords.statistics)}</a></>}</p>
      {!last && <p role="status">{t(opsWords.gathering)}</p>}
      {last && <p class="state" role="status">{t(opsWords.occupied, { n: last.occupied, total: last.total })} · {t(opsWords.onlineCabinets)} {last.online}/{last.cabinets}</p>}
      <Plot title={t(opsWords.occupancy)} at={at} series={occupancy} />
      <Plot title={t(opsWords.onlineCabinets)} at={at} series={online} />
      <Plot title={t(opsWords.perHour)} at={hoursAt} series={perHour} />
    </>
  );
}
