// Administration: /admin/<room>.
import type { FunctionComponent } from "preact";
import { Heading, Link, usePath, useWords } from "../ui";
import { staffWords } from "../staff_words";
import type { Words } from "../api";
import { Cabinets, Sticker } from "./cabinets";
import { Catalogue } from "./catalogue";
import { Notices } from "./notices";
import { Privacy } from "./privacy";
import { Staff } from "./staff";
import { Statistics } from "./statistics";

const rooms: Record<string, { word: Words; page: FunctionComponent }> = {
  cabinets: { word: staffWords.cabinets, page: Cabinets },
  staff: { word: staffWords.staff, page: Staff },
  catalogue: { word: staffWords.catalogue, page: Catalogue },
  statistics: { word: staffWords.statistics, page: Statistics },
  notices: { word: staffWords.notices, page: Notices },
  privacy: { word: staffWords.privacy, page: Privacy },
};

export function Admin() {
  const t = useWords();
  const path = usePath();
  const sticker = /^\/admin\/sticker\/([A-Za-z0-9_-]{1,64})$/.exec(path)?.[1];
  if (sticker) return <Sticker id={sticker} />;
  const name = /^\/admin\/(\w+)$/.exec(path)?.[1] ?? "cabinets";
  const room = rooms[name] ?? rooms["cabinets"]!;
  const Page = room.page;
  return (
    <>
      <nav aria-label={t(staffWords.admin)}>{Object.entries(rooms).map(([to, one]) => <Link key={to} to={`/admin/${to}`} current={one === room}>{t(one.word)}</Link>)}</nav>
      <Heading key={name}>{t(room.word)}</Heading>
      <Page key={name} />
    </>
  );
}
