// Doors opened from afar: the portal signs for two persons, each by their own session. The broker's account opens nothing.
import { useEffect, useState } from "preact/hooks";
import { get, live, post, trust } from "../api";
import type { RemoteOpening } from "../remote";
import { Field, Trouble, useDeed, useLanguage, useWords, when } from "../ui";
import { opsWords, outcomeWords } from "./words";

interface Me { signed_in: boolean; csrf?: string; number?: string; role?: string }

// Who is signed in beside the broker's account, and what was asked for: asked once for the whole page.
export interface Afar { portal: boolean; me: Me | null; list: RemoteOpening[]; look: () => void }

function useStaff(portal: boolean): Me | null {
  const [me, setMe] = useState<Me | null>(null);
  useEffect(() => {
    if (!portal) return undefined;
    const look = () => get<Me>("/api/staff/me", true).then((now) => { if (now.csrf) trust(now.csrf); setMe(now); }, () => setMe({ signed_in: false }));
    void look();
    addEventListener("focus", look);
    return () => removeEventListener("focus", look);
  }, [portal]);
  return me;
}

export function useAfar(portal: boolean): Afar {
  const me = useStaff(portal);
  const signedIn = me?.signed_in === true;
  const [list, setList] = useState<RemoteOpening[]>([]);
  const load = (background: boolean) => get<{ openings: RemoteOpening[] }>("/api/ops/openings", background).then((r) => setList(r.openings), () => undefined);
  useEffect(() => (signedIn ? live("/api/work/live", load) : undefined), [signedIn]);
  return { portal, me, list, look: () => void load(false) };
}

export function Remote({ cabinet, afar }: { cabinet: string; afar: Afar }) {
  const t = useWords();
  const { portal, me, list, look } = afar;
  const [door, setDoor] = useState("");
  const [reason, setReason] = useState("");
  const deed = useDeed();
  const language = useLanguage();
  const outcome = (o: RemoteOpening) => { const said = o.outcome || o.state; const word = outcomeWords[said]; return word ? t(word) : said; };
  const mine = list.filter((o) => o.cabinet === cabinet && o.mine && o.state === "asked");
  const waiting = mine.map((o) => o.id).join();
  useEffect(() => deed.clear(), [waiting]);  // what was refused may be good now
  if (!portal) return <section class="card"><h2>{t(opsWords.remote)}</h2><p>{t(opsWords.remoteElsewhere)}</p></section>;
  if (!me) return null;
  return (
    <section class="card">
      <h2>{t(opsWords.remote)}</h2>
      {!me.signed_in ? <p>{t(opsWords.remoteSignIn)} <a href="/work" target="_blank" rel="noopener">{t("signIn")}</a></p> : me.role !== "admin" ? <p>{t(opsWords.remoteAdmin)}</p> : (
        <form onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { await post("/api/ops/openings", { cabinet, door: Number(door), reason }); setReason(""); look(); }); }}>
          <p class="hint">{t(opsWords.remoteHint)}</p>
          <Field label={t(opsWords.doorNumber)} value={door} onValue={setDoor} inputMode="numeric" maxLength={3} />
          <Field label={t(opsWords.reason)} value={reason} onValue={setReason} maxLength={60} />
          <button disabled={deed.busy || !/^\d{1,3}$/.test(door) || reason.trim() === ""}>{t(opsWords.ask)}</button>
        </form>)}
      {mine.map((o) => <p class="notice" key={o.id} role="status">{t(opsWords.waitsForSecond, { door: o.door })} · {o.reason} <button type="button" class="plain" disabled={deed.busy} onClick={() => void deed.run(async () => { await post(`/api/ops/openings/${o.id}/withdraw`); look(); })}>{t(opsWords.withdraw)}</button></p>)}
      <Trouble what={deed.trouble} />
      {list.filter((o) => o.cabinet === cabinet && o.state !== "asked").slice(0, 3).map((o) => <p class="hint" key={o.id}>{t("doorN", { n: o.door })} · {o.reason} · {o.asked_by} + {o.approved_by || "—"} · {when(o.at, language)} · {outcome(o)}</p>)}
    </section>
  );
}

