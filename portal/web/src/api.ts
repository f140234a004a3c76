// The HTTP API as portal/openapi.yaml has it: JSON, a cookie, and a token that only our own pages can send.
export interface Words { zh: string; en: string }
export interface Paper extends Words { original: boolean }
export interface Service { id: string; name: Words; note: Words; size: string; days: number; papers: Paper[] }
export interface Cabinet {
  id: string; name: string; place: string; help: string; online: boolean; accessible: boolean;
  vacancies: Record<string, number> | null; services: Service[];
}
export interface Deposit { kind: "intake" | "return"; state: string; door: number; door_state?: string; said_deposited: boolean }
export interface Entry { at: string; what: string; by: string; note: string }
export interface Case {
  id: string; cabinet: string; service: string; title: Words; papers: Paper[]; state: string; note: string; overdue: boolean;
  delegated: boolean; created: string; changed: string; deposit: Deposit | null; history?: Entry[]; online: boolean; owner?: boolean;
  place?: string; help?: string; phone?: string; unconfirmed?: boolean; size?: string;
}
export interface Notice { title: string; text: string; at: string }

export class Refusal extends Error {
  constructor(readonly code: string, message: string, readonly status: number, readonly body: Record<string, unknown>) { super(message); }
}

let csrf = "";
export function trust(token: string) { csrf = token; }

async function answer<T>(r: Response): Promise<T> {
  const body = await r.json().catch(() => ({})) as Record<string, unknown>;
  if (!r.ok) {
    if (r.status === 401) dispatchEvent(new Event("signedout"));
    const error = (body.error ?? {}) as { code?: string; message?: string };
    throw new Refusal(error.code ?? "failed", error.message ?? "网络不通，请稍后再试。 No answer; try again later.", r.status, body);
  }
  return body as T;
}

async function ask(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: "same-origin", ...init });
  } catch {
    throw new Refusal("no_network", "网络不通，请稍后再试。 No network; try again in a moment.", 0, {});
  }
}

// `background`: the page looks by itself; nobody has touched it, and a session does not live longer by it.
export async function get<T>(path: string, background = false): Promise<T> {
  return answer<T>(await ask(path, background ? { headers: { "X-Background": "1" } } : undefined));
}

export async function post<T>(path: string, body: object = {}): Promise<T> {
  return answer<T>(await ask(path, {
    method: "POST", headers: { "Content-Type": "application/json", "X-CSRF": csrf }, body: JSON.stringify(body),
  }));
}

// Loads at once, whenever the server says that something has changed, and once a connection is back; gives the way to
// stop. One load at a time: of two on their way the earlier answer may arrive last.
export function live(path: string, load: (background: boolean) => Promise<void>): () => void {
  let loading = false;
  let missed = false;
  let stopped = false;
  const look = (background: boolean) => {
    if (loading || stopped) { missed = true; return; }
    loading = true;
    void load(background).finally(() => {
      loading = false;
      if (missed) { missed = false; look(true); }
    });
  };
  look(false);
  const changed = () => look(true);
  if (typeof EventSource === "undefined") {
    const timer = setInterval(changed, 5000);
    return () => { stopped = true; clearInterval(timer); };
  }
  let source: EventSource;
  let again = 0;
  const connect = () => {
    source = new EventSource(path);
    source.addEventListener("changed", changed);
    source.addEventListener("hello", changed);
    // A browser gives up for good after an answer that is no stream, a proxy's 502 say.
    source.addEventListener("error", () => { if (source.readyState === 2) { clearTimeout(again); again = setTimeout(() => { changed(); connect(); }, 3000) as unknown as number; } });
  };
  connect();
  return () => { stopped = true; clearTimeout(again); source.close(); };
}
