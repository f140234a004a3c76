// One case, as its resident sees it: what is to be done now comes first.
import { useEffect, useRef, useState } from "preact/hooks";
import { post, Refusal, type Case } from "./api";
import { Field, Heading, History, Papers, plain, Qr, Size, Trouble, useDeed, useForAWhile, useWords } from "./ui";
import { states, type Word } from "./words";

interface Opened { door: number | null; case: Case }

function BigDoor({ c }: { c: Case }) {
  const t = useWords();
  const d = c.deposit;
  if (!d || d.door === 0) return null;
  const word: Word = d.door_state === "open" ? (d.kind === "return" ? "doorOpenTake" : "doorOpen") : d.door_state === "closed" ? "doorShut" : "doorUnknown";
  return (
    <div class={d.door_state === "open" ? "door open" : "door"} role="status">
      <p class="doornumber"><span>{t("door")}</span> <strong>{d.door}</strong></p>
      <p>{t(word)}</p>
    </div>
  );
}

// Opens the right door: over the network, or by a QR code where there is none.
function OpenDoor({ c, changed, label, choose, slips, quiet }: { c: Case; changed: (c: Case) => void; label: Word; choose?: boolean; slips?: boolean; quiet?: boolean }) {
  const t = useWords();
  const [there, setThere] = useState(false);
  const [size, setSize] = useState(c.size ?? "");
  const [accessible, setAccessible] = useState(false);
  const [slip, setSlip] = useForAWhile<{ qr: string; seconds: number }>();
  const deed = useDeed();
  const wish = { at_door: true, size, accessible };
  const open = () => deed.run(async () => {
    try {
      changed((await post<Opened>(`/api/cases/${c.id}/open`, wish)).case);
    } catch (e) {
      if (e instanceof Refusal && e.body.case) changed(e.body.case as Case);
      throw e;
    }
  });
  const show = () => deed.run(async () => { setSlip(await post(`/api/cases/${c.id}/slip`, wish)); });
  return (
    <div>
      {choose && <Size size={size} choose={setSize}>
        <label class="choice"><input type="checkbox" checked={accessible} onChange={(e) => setAccessible((e.target as HTMLInputElement).checked)} />{t("accessible")}</label>
      </Size>}
      <label class="choice"><input type="checkbox" checked={there} onChange={(e) => setThere((e.target as HTMLInputElement).checked)} />{t("atDoor")}</label>
      {c.online
        ? <button type="button" class={quiet ? "plain" : ""} disabled={!there || deed.busy} onClick={() => void open()}>{t(deed.busy ? "opening" : label)}</button>
        : <p class="notice" role="status">{t("offline")}</p>}
      <Trouble what={deed.trouble} />
      {slips && (!c.online || deed.trouble !== null) && <button type="button" class="plain" disabled={!there || deed.busy} onClick={() => void show()}>{t("slip")}</button>}
      {slip && <div class="card"><p>{t("slipHint", { n: Math.round(slip.seconds / 60) })}</p><Qr svg={slip.qr} alt={t("slip")} /></div>}
    </div>
  );
}

// Nothing was put in after all, or it is wanted back: before staff have fetched it.
function TakeBack({ c, changed }: { c: Case; changed: (c: Case) => void }) {
  const t = useWords();
  const deed = useDeed();
  const take = () => deed.run(async () => { changed((await post<Opened>(`/api/cases/${c.id}/open`, { at_door: true, back: true })).case); });
  return <div><button type="button" class="plain" disabled={deed.busy || !c.online} onClick={() => void take()}>{t("takeBack")}</button><Trouble what={deed.trouble} /></div>;
}

function PutIn({ c, changed }: { c: Case; changed: (c: Case) => void }) {
  const t = useWords();
  const deed = useDeed();
  const d = c.deposit;
  // Offline the cabinet's word comes later: a QR code may have opened the door already.
  const begun = d !== null && d.kind === "intake" && (["reserved", "deposited"].includes(d.state) || (d.state === "asked" && !c.online));
  const confirm = () => deed.run(async () => { changed(await post<Case>(`/api/cases/${c.id}/confirm`)); });
  const cancel = () => deed.run(async () => { changed(await post<Case>(`/api/cases/${c.id}/cancel`)); });
  return (
    <section>
      {c.state === "asked" && <p class="hint">{t("staffHold")}</p>}
      {!begun && <Papers list={c.papers} check />}
      {begun && <BigDoor c={c} />}
      {begun && !d.said_deposited && <div class="card">
        <p>{t("depositedHint")}</p>
        <button type="button" disabled={deed.busy || d.door_state === "open"} onClick={() => void confirm()}>{t("deposited")}</button>
      </div>}
      {begun && d.said_deposited && <p class="notice" role="status">{t(c.online ? "depositedSoon" : "depositedWaits")}</p>}
      <OpenDoor c={c} changed={changed} choose={!begun} slips quiet={begun && d.door_state === "open"} label={begun ? (d.state === "deposited" ? "openAgain" : "notOpen") : "open"} />
      {c.state === "papers_in" && <TakeBack c={c} changed={changed} />}
      <Trouble what={deed.trouble} />
      {!begun && c.state === "awaiting_papers" && <button type="button" class="plain" disabled={deed.busy} onClick={() => void cancel()}>{t("cancel")}</button>}
    </section>
  );
}

function Collect({ c, changed }: { c: Case; changed: (c: Case) => void }) {
  const t = useWords();
  const [code, setCode] = useState<{ code: string; qr: string; more: boolean } | null>(null);
  const [phone, setPhone] = useState("");
  const [said, setSaid] = useState<Word | null>(null);
  const deed = useDeed();
  const naming = useDeed();
  const show = (another: boolean) => deed.run(async () => { setCode(await post(`/api/cases/${c.id}/code`, { another })); });
  const revoke = () => deed.run(async () => {
    const said = await post<{ cabinet_told: boolean }>(`/api/cases/${c.id}/revoke`);
    setCode(null);
    setSaid(said.cabinet_told ? "revoked" : "revokedHere");
  });
  const delegate = (to: string) => naming.run(async () => { changed(await post<Case>(`/api/cases/${c.id}/delegate`, { phone: to })); setPhone(""); });
  return (
    <section>
      <BigDoor c={c} />
      <OpenDoor c={c} changed={changed} label="open" />
      <div class="card">
        <h2>{t("getCode")}</h2>
        {code
          ? <><p class="code" role="status">{code.code.replace(/(\d{3})(?=\d)/g, "$1 ")}</p><Qr svg={code.qr} alt={t("getCode")} /><p>{t("codeHint")}</p></>
          : <button type="button" disabled={deed.busy} onClick={() => void show(false)}>{t("getCode")}</button>}
        {code?.more && <button type="button" class="plain" disabled={deed.busy} onClick={() => void show(true)}>{t("anotherCode")}</button>}
        {code && !code.more && <p class="hint">{t("lastCode")}</p>}
        {c.owner && <button type="button" class="plain" disabled={deed.busy} onClick={() => void revoke()}>{t("revoke")}</button>}
        {said && <p role="status">{t(said)}</p>}
        <Trouble what={deed.trouble} />
      </div>
      {c.owner && <form class="card" onSubmit={(e) => { e.preventDefault(); void delegate(phone); }}>
        <h2>{t("delegate")}</h2>
        {c.delegated
          ? <><p role="status">{t("delegated")}</p><button type="button" class="plain" disabled={naming.busy} onClick={() => void delegate("")}>{t("undelegate")}</button></>
          : <><Field label={t("phone")} hint={t("delegateHint")} value={phone} onValue={(v) => setPhone(plain(v))} type="tel" inputMode="tel" maxLength={20} /><button disabled={naming.busy || phone.length < 8}>{t("save")}</button></>}
        <Trouble what={naming.trouble} />
      </form>}
    </section>
  );
}

// For a minute from when this page has seen it become so: the cabinet opens again so long. Its own clock, not two.
function useJustNow(so: boolean): boolean {
  const before = useRef(so);
  const [now, setNow] = useState(false);
  useEffect(() => {
    if (!so || before.current) { before.current = so; return undefined; }
    before.current = true;
    setNow(true);
    const timer = setTimeout(() => setNow(false), 55000);
    return () => clearTimeout(timer);
  }, [so]);
  return now;
}

export function CasePage({ c, changed }: { c: Case; changed: (c: Case) => void }) {
  const t = useWords();
  const justTaken = useJustNow(c.state === "done");
  return (
    <>
      <Heading>{t(c.title)}</Heading>
      <p class="hint">{c.place}</p>
      <p class={c.state === "ready" || c.state === "done" ? "state good" : "state"} role="status">{t(states[c.state] ?? c.title)}</p>
      {c.note && <p class="notice"><span class="label">{t("note")}</span> {c.note}</p>}
      {(c.state === "awaiting_papers" || c.state === "asked" || c.state === "papers_in") && c.owner && <PutIn c={c} changed={changed} />}
      {c.state === "submitted" && c.owner && c.deposit && ["deposited", "confirmed"].includes(c.deposit.state) && <TakeBack c={c} changed={changed} />}
      {c.state === "ready" && <Collect c={c} changed={changed} />}
      {justTaken && <OpenDoor c={c} changed={changed} label="openAgainTake" />}
      <History list={c.history ?? []} />
      {c.help && <p class="hint">{t("help")}: <a href={`tel:${c.help}`}>{c.help}</a></p>}
    </>
  );
}
