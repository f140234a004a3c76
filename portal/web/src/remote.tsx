// What waits for a second person: the worklist and the dashboard both show it.
import { Refusal, post, type Words } from "./api";
import { opsWords, outcomeWords } from "./ops/words";
import { Trouble, useDeed, useForAWhile, useWords } from "./ui";
import type { Word } from "./words";

export interface RemoteOpening { id: string; cabinet: string; door: number; reason: string; asked_by: string; approved_by: string; state: string; outcome: string; mine: boolean; at: string; online: boolean; use: string; door_state: string }

// A deed that is not to be undone, or opens a door in a street while its worker sits in the office: it asks once more.
export function Twice({ label, sure, plain, disabled, then }: { label: Word | Words; sure: Words; plain?: boolean; disabled: boolean; then: () => void }) {
  const t = useWords();
  const [asked, ask] = useForAWhile<{ seconds: number }>();
  return <button type="button" class={plain ? "plain" : ""} disabled={disabled} onClick={() => { if (asked) { ask(null); then(); } else ask({ seconds: 10 }); }}>{t(asked ? sure : label)}</button>;
}

export function Approvals({ list, names, changed }: { list: RemoteOpening[]; names: (id: string) => string; changed: () => void }) {
  const t = useWords();
  const deed = useDeed();
  const wait = list.filter((o) => o.state === "asked" && !o.mine);
  const [ended, end] = useForAWhile<{ seconds: number; says: string }>();
  const say = (o: RemoteOpening, what: string) => deed.run(async () => {
    const tell = (outcome: string) => {
      const word = outcomeWords[outcome];
      if (word) end({ seconds: 60, says: `${names(o.cabinet)} · ${t("doorN", { n: o.door })} · ${t(word)}` });
      return word !== undefined;
    };
    try {
      const settled = await post<RemoteOpening>(`/api/ops/openings/${o.id}/${what}`);
      tell(settled.outcome || settled.state);
    } catch (e) {
      if (!(e instanceof Refusal) || !tell(e.code)) throw e;  // a resident's words are not for who sits in an office
    } finally { changed(); }
  });
  if (wait.length === 0 && !deed.trouble && !ended) return null;
  return (
    <section class="card"><h2>{t(opsWords.pending)}</h2>
      <ul class="list">{wait.map((o) => <li key={o.id}>
        <p>{t(opsWords.pendingOne, { place: names(o.cabinet), door: o.door, who: o.asked_by, reason: o.reason })}</p>
        <p class="hint">{!o.online ? t(opsWords.notOnline) : t(o.use === "vacant" || o.use === "disabled" ? opsWords.nothingThere : opsWords.papersThere)}{o.door_state === "open" && ` · ${t(opsWords.openNow)}`}</p>
        <Twice label={opsWords.approve} sure={opsWords.approveSure} disabled={deed.busy || !o.online} then={() => void say(o, "approve")} />
        <button type="button" class="plain" disabled={deed.busy} onClick={() => void say(o, "withdraw")}>{t(opsWords.refuse)}</button>
      </li>)}</ul>
      {ended && <p class="notice" role="status">{ended.says}</p>}
      <Trouble what={deed.trouble} />
    </section>
  );
}
