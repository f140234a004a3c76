#include "daemon/core/retention.hpp"

#include <algorithm>

#include "daemon/core/timekeeping.hpp"
#include "hal/ports/canary.hpp"

namespace locker::core {
namespace {

constexpr std::uint64_t piece = 500;  // rows that leave in one transaction
constexpr std::int64_t between_pieces = 10 * second;
constexpr std::int64_t between_looks = hour;

// By the floor, not the clock: a clock that runs years ahead for an hour removes nothing. And by the cabinet's own age:
// rows from before its first synchronised clock bear a date that is years too early.
bool old_enough(const work& w, const ledger_row& row, std::int64_t notice) {
    const std::int64_t keep = w.config.rules.ledger_keep - notice;
    return w.age >= keep && floor_now(w.s.d.m, w.age) - row.wall_ms >= keep;
}

// Rows are in order: where a later one is old, so is this one, whatever a wrong clock wrote on it.
bool old_by_order(const work& w, std::uint64_t sequence, std::int64_t notice) {
    const auto& d = w.s.d;
    const auto surplus =
        d.m.sequence - d.kept.pruned - std::min(d.m.sequence - d.kept.pruned, w.config.rules.ledger_rows);
    for (const auto at : {sequence, std::max(sequence, d.kept.pruned + surplus)}) {
        const auto row = w.past.rows(at, at, 1);
        if (!row.empty() && old_enough(w, row.front(), notice)) {
            return true;
        }
    }
    return false;
}

void remove_piece(work& w) {
    auto& kept = w.s.d.kept;
    const auto last =
        std::min(kept.pruned + piece, sick(canary::unpublished_rows_leave) ? w.s.d.m.sequence : w.s.d.m.published);
    const auto rows = w.past.rows(kept.pruned + 1, last, piece);
    if (rows.empty() || !old_by_order(w, rows.back().sequence, 0)) {
        w.s.l.retention_due = w.now.mono_ms + between_looks;
        return;
    }
    event_data data;
    data.first = rows.front().sequence;
    data.last = rows.back().sequence;
    data.hash = to_hex(rows.back().hash);
    kept.pruned = rows.back().sequence;
    w.forget_through = kept.pruned;
    w.say(event_type::ledger_pruned, "", data);
    w.s.l.retention_due = w.now.mono_ms + between_pieces;
}

}  // namespace

void advance_retention(work& w) {
    auto& kept = w.s.d.kept;
    const auto most = w.config.rules.ledger_rows;
    const auto rows = w.s.d.m.sequence - kept.pruned;
    if (kept.prune_at != 0 && rows <= most - most / 10) {
        kept.prune_at = 0;
    }
    if ((kept.prune_at == 0 && rows <= most) || !w.due(w.s.l.retention_due)) {
        return;
    }
    if (kept.prune_at == 0) {
        w.s.l.retention_due = w.now.mono_ms + between_looks;
        if (old_by_order(w, kept.pruned + 1, w.config.rules.ledger_notice)) {
            kept.prune_at = w.age + w.config.rules.ledger_notice;
            kept.said_ms = w.wall;
        }
    } else if (w.due_age(kept.prune_at)) {
        if (w.s.d.openings.empty()) {
            remove_piece(w);
        } else {
            w.s.l.retention_due = w.now.mono_ms + between_pieces;
        }
    }
}

}  // namespace locker::core
