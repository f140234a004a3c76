// Cabinets: enrolled, renamed, and what is stuck on each.
import { useEffect, useState } from "preact/hooks";
import { Refusal, get, post } from "../api";
import { Field, Heading, Link, Qr, Trouble, useDeed, useWords } from "../ui";
import { staffWords } from "../staff_words";
import { Twice } from "../remote";

interface Place { id: string; name: string; place: string; help: string; online: boolean; alarms: number }
interface Bundle { bundle: object; broker_account: string; acl: string }

function Words({ wish, change }: { wish: { name: string; place: string; help: string }; change: (part: object) => void }) {
  const t = useWords();
  return <>
    <Field label={t(staffWords.name)} value={wish.name} onValue={(name) => change({ name })} />
    <Field label={t(staffWords.place)} value={wish.place} onValue={(place) => change({ place })} />
    <Field label={t("help")} value={wish.help} onValue={(help) => change({ help })} inputMode="tel" />
  </>;
}

function One({ cabinet, changed }: { cabinet: Place; changed: () => void }) {
  const t = useWords();
  const [wish, setWish] = useState<Place | null>(null);
  const deed = useDeed();
  const save = () => deed.run(async () => {
    if (wish) await post(`/api/admin/cabinets/${cabinet.id}`, { name: wish.name, place: wish.place, help: wish.help });
    setWish(null);
    changed();
  });
  return (
    <li class="card">
      <h2>{cabinet.name} <span class="tag">{cabinet.id}</span></h2>
      <p class="hint">{cabinet.place} · {t(cabinet.online ? "online" : staffWords.cabinetOffline)}{cabinet.alarms > 0 && <span class="tag warn">{t(staffWords.alarmsN, { n: cabinet.alarms })}</span>}</p>
      <p><a href={`/c/${cabinet.id}`}>{t(staffWords.residentsPage)}</a> · <Link to={`/admin/sticker/${cabinet.id}`}>{t(staffWords.sticker)}</Link></p>
      {wish
        ? <form onSubmit={(e) => { e.preventDefault(); void save(); }}>
          <Words wish={wish} change={(part) => setWish({ ...wish, ...part })} />
          <Trouble what={deed.trouble} />
          <button disabled={deed.busy || !wish.name}>{t("save")}</button>
        </form>
        : <><button type="button" class="plain" onClick={() => setWish(cabinet)}>{t(staffWords.change)}</button>
          <Twice plain label={staffWords.removeCabinet} sure={staffWords.sureRemove} disabled={deed.busy} then={() => void deed.run(async () => { await post(`/api/admin/cabinets/${cabinet.id}/remove`); changed(); })} />
          <Trouble what={deed.trouble} />
          {deed.trouble instanceof Refusal && deed.trouble.code === "wrong_state" && <Twice plain label={staffWords.removeAnyway} sure={staffWords.sureRemoveAnyway} disabled={deed.busy} then={() => void deed.run(async () => { await post(`/api/admin/cabinets/${cabinet.id}/remove`, { anyway: true }); changed(); })} />}</>}
    </li>
  );
}

export function Cabinets() {
  const t = useWords();
  const [list, setList] = useState<Place[]>([]);
  const [wish, setWish] = useState({ id: "", name: "", place: "", help: "" });
  const [made, setMade] = useState<Bundle | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  const load = () => { get<{ cabinets: Place[] }>("/api/admin/cabinets").then((r) => setList(r.cabinets), setTrouble); };
  useEffect(load, []);
  return (
    <>
      <Trouble what={trouble} />
      <ul class="list">{list.map((c) => <One key={c.id} cabinet={c} changed={load} />)}</ul>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { setMade(await post("/api/admin/cabinets", wish)); load(); }); }}>
        <h2>{t(staffWords.enrol)}</h2>
        <Field label={t(staffWords.id)} hint={t(staffWords.idHint)} value={wish.id} onValue={(id) => setWish({ ...wish, id })} maxLength={64} />
        <Words wish={wish} change={(part) => setWish({ ...wish, ...part })} />
        <Trouble what={deed.trouble} />
        <button disabled={deed.busy || !wish.id || !wish.name}>{t(staffWords.enrol)}</button>
      </form>
      {made && <div class="card" role="status">
        <p>{t(staffWords.enrolled)}</p>
        <h3>{t(staffWords.bundle)}</h3><p class="hint">{t(staffWords.bundleHint)}</p><pre tabIndex={0}>{JSON.stringify(made.bundle, null, 1)}</pre>
        <p><a class="button" download={`${wish.id}.json`} href={`data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(made.bundle))}`}>{t(staffWords.download)}</a></p>
        <h3>{t(staffWords.brokerAccount)}</h3><p class="hint">{t(staffWords.brokerAccountHint)}</p><pre tabIndex={0}>{made.broker_account}{"\n\n"}{made.acl}</pre>
      </div>}
    </>
  );
}

// A sheet to print: what residents scan. Both languages, whatever the page's.
export function Sticker({ id }: { id: string }) {
  const t = useWords();
  const [sheet, setSheet] = useState<{ name: string; place: string; help: string; address: string; qr: string } | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  useEffect(() => { get<typeof sheet>(`/api/admin/cabinets/${id}/sticker`).then(setSheet, setTrouble); }, [id]);
  if (!sheet) return <Trouble what={trouble} />;
  return (
    <>
      <p class="noprint"><Link to="/admin/cabinets">{t("back")}</Link></p>
      <section class="sticker">
        <Heading>{sheet.name}</Heading>
        <p class="hint">{sheet.place}</p>
        <Qr svg={sheet.qr} alt={sheet.address} />
        <p class="state" lang="zh-CN">扫一扫，存取资料</p>
        <p lang="en">Scan to hand in or collect papers</p>
        {sheet.help && <p>求助 Help: {sheet.help}</p>}
        <p class="hint">{sheet.address}</p>
      </section>
      <button type="button" class="noprint" onClick={() => print()}>{t(staffWords.print)}</button>
    </>
  );
}
