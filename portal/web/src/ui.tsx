// What every page shares: language, type size, the head, forms, QR codes.
import { createContext, type ComponentChildren } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { Refusal, type Entry, type Paper, type Words } from "./api";
import { entries, words, type Word } from "./words";

type Language = "zh" | "en";

function remembered(key: string, otherwise: string): string {
  try { return localStorage.getItem(key) ?? otherwise; } catch { return otherwise; }
}
function remember(key: string, value: string) {
  try { localStorage.setItem(key, value); } catch { /* a private window */ }
}

const LanguageContext = createContext<Language>("zh");

// One of ours by its name, or words that came from the server; {…} filled.
export function useWords() {
  const language = useContext(LanguageContext);
  return (what: Word | Words, parameters: Record<string, string | number> = {}) => {
    const text = (typeof what === "string" ? words[what] : what)[language];
    return text.replace(/\{(\w+)\}/g, (_, name: string) => String(parameters[name] ?? ""));
  };
}

export function useLanguage() { return useContext(LanguageContext); }

// The server's sentences have both languages, one behind the other: "中文。 English."
export function sentence(text: string, language: Language): string {
  const [line, ...rest] = text.split("\n");
  if (rest.length > 0) return `${sentence(line ?? "", language)}\n${rest.join("\n")}`;
  const cut = text.search(/[。？！；] ?[A-Za-z"]/);
  if (cut < 0) return text;
  return language === "zh" ? text.slice(0, cut + 1) : text.slice(cut + 1).trim();
}

export function go(path: string) {
  history.pushState(null, "", path);
  dispatchEvent(new Event("popstate"));
  scrollTo(0, 0);
}

// Within the pages: no load, and the browser's back button works.
export function Link({ to, current, children }: { to: string; current?: boolean; children: ComponentChildren }) {
  return <a href={to} aria-current={current ? "page" : undefined} onClick={(e) => { if (!e.ctrlKey && !e.metaKey && !e.shiftKey) { e.preventDefault(); go(to); } }}>{children}</a>;
}

export function usePath(): string {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const moved = () => setPath(location.pathname);
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);
  return path;
}

export function Frame({ title, home, children }: { title: Word; home: string; children: ComponentChildren }) {
  const [language, setLanguage] = useState<Language>(remembered("language", navigator.language.startsWith("en") ? "en" : "zh") as Language);
  const [large, setLarge] = useState(remembered("large", "no") === "yes");
  useEffect(() => { document.documentElement.lang = language === "zh" ? "zh-CN" : "en"; remember("language", language); }, [language]);
  useEffect(() => { document.documentElement.classList.toggle("large", large); remember("large", large ? "yes" : "no"); }, [large]);
  return (
    <LanguageContext.Provider value={language}>
      <header>
        <a class="home" href={home} onClick={(e) => { e.preventDefault(); go(home); }}>{words[title][language]}</a>
        <div class="switches">
          <button type="button" class="plain" lang={language === "zh" ? "en" : "zh-CN"} onClick={() => setLanguage(language === "zh" ? "en" : "zh")}>{words.otherLanguage[language]}</button>
          <button type="button" class="plain" aria-pressed={large} onClick={() => setLarge(!large)}>{words[large ? "normal" : "large"][language]}</button>
        </div>
      </header>
      <main>{children}</main>
    </LanguageContext.Provider>
  );
}

// The page's heading takes the focus when the page changes, and names the tab: a reader says where one is.
export function Heading({ children }: { children: ComponentChildren }) {
  const at = useRef<HTMLHeadingElement>(null);
  const t = useWords();
  useEffect(() => { at.current?.focus(); }, []);
  useEffect(() => { document.title = `${at.current?.textContent ?? ""} · ${t("title")}`; });
  return <h1 tabIndex={-1} ref={at}>{children}</h1>;
}

export function Trouble({ what }: { what: unknown }) {
  const t = useWords();
  const language = useLanguage();
  if (!what) return null;
  const text = what instanceof Refusal ? sentence(what.message, language) : what instanceof Error ? what.message : String(what);
  return <p class="trouble" role="alert">{text || t("failed")}</p>;
}

// A deed that takes a moment: the button says so, and cannot be tapped twice.
export function useDeed() {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<unknown>(null);
  const run = async (what: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setTrouble(null);
    try { await what(); } catch (e) { setTrouble(e); } finally { setBusy(false); }
  };
  return { busy, trouble, run, clear: () => setTrouble(null) };
}

export function Field(p: { label: string; value: string; onValue: (v: string) => void; type?: string; inputMode?: "numeric" | "tel" | "text";
  autocomplete?: string; maxLength?: number; hint?: string; multiline?: boolean; rows?: number }) {
  const id = useRef(`f${Math.random().toString(36).slice(2)}`).current;
  const hint = p.hint ? `${id}h` : undefined;
  const changed = (e: Event) => p.onValue((e.target as HTMLInputElement).value);
  return (
    <div class="field">
      <label for={id}>{p.label}</label>
      {p.multiline
        ? <textarea id={id} rows={p.rows ?? 4} value={p.value} onInput={changed} aria-describedby={hint} />
        : <input id={id} type={p.type ?? "text"} inputMode={p.inputMode} autocomplete={p.autocomplete ?? "off"} maxLength={p.maxLength} value={p.value} onInput={changed} aria-describedby={hint} />}
      {p.hint && <p id={hint} class="hint">{p.hint}</p>}
    </div>
  );
}

// What is shown for so many seconds, then it is worth nothing and goes.
export function useForAWhile<T extends { seconds: number }>(): [T | null, (what: T | null) => void] {
  const [what, show] = useState<T | null>(null);
  useEffect(() => {
    if (!what) return undefined;
    const timer = setTimeout(() => show(null), what.seconds * 1000);
    return () => clearTimeout(timer);
  }, [what]);
  return [what, show];
}

// Digits as a Chinese keyboard may give them, full-width, are digits.
export function plain(text: string): string { return text.normalize("NFKC"); }

// What has happened so far; staff's notes where there are any.
export function History({ list }: { list: Entry[] }) {
  const t = useWords();
  const language = useLanguage();
  const word = (h: Entry) => entries[h.what === "said_deposited" && h.by === "staff" ? "returned" : h.what];
  return (
    <section><h2>{t("history")}</h2>
      <ol class="history">{list.map((h, i) => <li key={i}><span class="hint">{when(h.at, language)}</span> {word(h) ? t(word(h)!) : h.what}{h.note && ` — ${h.note}`}</li>)}</ol>
    </section>
  );
}

// A compartment's size, as the service wants it unless somebody chooses another.
export function Size({ size, choose, children }: { size: string; choose: (size: string) => void; children?: ComponentChildren }) {
  const t = useWords();
  return (
    <fieldset>
      <legend>{t("size")}</legend>
      {(["S", "M", "L"] as const).map((s) => <label class="choice" key={s}><input type="radio" name="size" value={s} checked={size === s} onChange={() => choose(s)} />{t(s)}</label>)}
      {children}
    </fieldset>
  );
}

export function Papers({ list, check }: { list: Paper[]; check?: boolean }) {
  const t = useWords();
  const one = (p: Paper) => <>{t(p)}<span class="tag">{t(p.original ? "original" : "copy")}</span></>;
  if (list.length === 0) return null;
  return check
    ? <fieldset><legend>{t("papers")}</legend>{list.map((p) => <label class="choice" key={p.zh}><input type="checkbox" /><span>{one(p)}</span></label>)}</fieldset>
    : <section><h2>{t("papers")}</h2><ul class="papers">{list.map((p) => <li key={p.zh}>{one(p)}</li>)}</ul></section>;
}

export function Qr({ svg, alt }: { svg: string; alt: string }) {
  return <img class="qr" alt={alt} src={`data:image/svg+xml;base64,${btoa(svg)}`} />;
}

export function when(iso: string, language: Language): string {
  return new Date(iso).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
}
