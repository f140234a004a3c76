// Staff: who they are, where they work, and their second factor.
import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api";
import { Field, Qr, Trouble, useDeed, useWords } from "../ui";
import { staffWords } from "../staff_words";

interface Account { number: string; name: string; role: string; cabinets: string[]; active: boolean }
interface Place { id: string; name: string }
interface Key { number: string; totp: string; qr: string }

function Where({ places, chosen, choose }: { places: Place[]; chosen: string[]; choose: (ids: string[]) => void }) {
  const t = useWords();
  return (
    <fieldset>
      <legend>{t(staffWords.worksAt)}</legend>
      <label class="choice"><input type="checkbox" checked={chosen.includes("*")} onChange={() => choose(chosen.includes("*") ? [] : ["*"])} />{t(staffWords.allCabinets)}</label>
      {places.map((p) => <label class="choice" key={p.id}><input type="checkbox" checked={chosen.includes(p.id)}
        onChange={() => choose(chosen.includes(p.id) ? chosen.filter((id) => id !== p.id) : [...chosen.filter((id) => id !== "*"), p.id])} />{p.name} <span class="tag">{p.id}</span></label>)}
    </fieldset>
  );
}

function Role({ role, choose }: { role: string; choose: (role: string) => void }) {
  const t = useWords();
  return (
    <fieldset>
      <legend>{t(staffWords.role)}</legend>
      {(["worker", "admin"] as const).map((r) => <label class="choice" key={r}><input type="radio" checked={role === r} onChange={() => choose(r)} />{t(r === "admin" ? staffWords.adminRole : staffWords.worker)}</label>)}
    </fieldset>
  );
}

function Authenticator({ made }: { made: Key }) {
  const t = useWords();
  return <div class="card" role="status"><p>{t(staffWords.totpSecret)}: {made.number}</p><Qr svg={made.qr} alt={t(staffWords.totpSecret)} /><p><code>{made.totp}</code></p></div>;
}

function One({ who, places, changed }: { who: Account; places: Place[]; changed: () => void }) {
  const t = useWords();
  const [wish, setWish] = useState<Account | null>(null);
  const [password, setPassword] = useState("");
  const [made, setMade] = useState<Key | null>(null);
  const deed = useDeed();
  const change = (what: object) => deed.run(async () => { await post("/api/admin/staff/change", { number: who.number, ...what }); setWish(null); changed(); });
  const reset = () => deed.run(async () => { setMade(await post("/api/admin/staff/reset", { number: who.number, password })); setPassword(""); });
  return (
    <li class="card">
      <h2>{who.name} <span class="tag">{who.number}</span>{!who.active && <span class="tag warn">{t(staffWords.suspended)}</span>}</h2>
      <p class="hint">{t(who.role === "admin" ? staffWords.adminRole : staffWords.worker)} · {who.cabinets.includes("*") ? t(staffWords.allCabinets) : who.cabinets.join("、") || t(staffWords.nowhere)}</p>
      {wish && <>
        <form onSubmit={(e) => { e.preventDefault(); void change({ name: wish.name, role: wish.role, cabinets: wish.cabinets }); }}>
          <Field label={t(staffWords.name)} value={wish.name} onValue={(name) => setWish({ ...wish, name })} />
          <Role role={wish.role} choose={(role) => setWish({ ...wish, role })} />
          <Where places={places} chosen={wish.cabinets} choose={(cabinets) => setWish({ ...wish, cabinets })} />
          <button disabled={deed.busy || !wish.name}>{t("save")}</button>
        </form>
        <form onSubmit={(e) => { e.preventDefault(); void reset(); }}>
          <Field label={t(staffWords.newPassword)} hint={t(staffWords.resetHint)} value={password} onValue={setPassword} type="password" autocomplete="new-password" />
          <button class="plain" disabled={deed.busy || password.length < 10}>{t(staffWords.resetStaff)}</button>
        </form>
        {made && <Authenticator made={made} />}
      </>}
      <Trouble what={deed.trouble} />
      {!wish && <button type="button" class="plain" onClick={() => setWish(who)}>{t(staffWords.change)}</button>}
      <button type="button" class="plain" disabled={deed.busy} onClick={() => void change({ suspended: who.active })}>{t(who.active ? staffWords.suspendStaff : staffWords.restoreStaff)}</button>
    </li>
  );
}

export function Staff() {
  const t = useWords();
  const nobody = { number: "", name: "", password: "", role: "worker", cabinets: ["*"] };
  const [list, setList] = useState<Account[]>([]);
  const [places, setPlaces] = useState<Place[]>([]);
  const [wish, setWish] = useState(nobody);
  const [made, setMade] = useState<Key | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  const load = () => { get<{ staff: Account[] }>("/api/admin/staff").then((r) => setList(r.staff), setTrouble); };
  useEffect(load, []);
  useEffect(() => { get<{ cabinets: Place[] }>("/api/admin/cabinets").then((r) => setPlaces(r.cabinets), setTrouble); }, []);
  return (
    <>
      <Trouble what={trouble} />
      <ul class="list">{list.map((s) => <One key={s.number} who={s} places={places} changed={load} />)}</ul>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { setMade(await post("/api/admin/staff", wish)); setWish(nobody); load(); }); }}>
        <h2>{t(staffWords.addStaff)}</h2>
        <Field label={t(staffWords.number)} hint={t(staffWords.numberHint)} value={wish.number} onValue={(number) => setWish({ ...wish, number })} inputMode="numeric" maxLength={6} />
        <Field label={t(staffWords.name)} value={wish.name} onValue={(name) => setWish({ ...wish, name })} />
        <Field label={t(staffWords.password)} hint={t(staffWords.passwordHint)} value={wish.password} onValue={(password) => setWish({ ...wish, password })} type="password" autocomplete="new-password" />
        <Role role={wish.role} choose={(role) => setWish({ ...wish, role })} />
        <Where places={places} chosen={wish.cabinets} choose={(cabinets) => setWish({ ...wish, cabinets })} />
        <Trouble what={deed.trouble} />
        <button disabled={deed.busy || wish.number.length < 4 || wish.password.length < 10}>{t(staffWords.addStaff)}</button>
      </form>
      {made && <Authenticator made={made} />}
    </>
  );
}
