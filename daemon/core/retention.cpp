#include "daemon/core/retention.hpp"

#include <algorithm>

#include "daemon/core/timekeeping.hpp"
#include "hal/ports/canary.hpp"

namespace locker::core {
namespace {

constexpr std::uint64_t piece = 500;  // rows that leave in one transaction
constexpr std::int64_t between_pieces = 10 * second;
constexpr std::int64_t between_looks = hour;

bool old_enough(const work& w, const ledger_row& row, std::int64_t notice) {
    // The floor, not the clock: a clock that runs years ahead for an hour removes nothing.
    return floor_now(w.s.d.m, w.age) - row.wall_ms >= w.config.rules.ledger_keep - notice;
}

void remove_piece(work& w) {
    auto& kept = w.s.d.kept;
    const auto last =
        std::min(kept.pruned + piece, sick(canary::unpublished_rows_leave) ? w.s.d.m.sequence : w.s.d.m.published);
    const auto rows = w.past.rows(kept.pruned + 1, last, piece);
    const bool all_old = std::all_of(rows.begin(), rows.end(), [&](const auto& row) { return old_enough(w, row, 0); });
    if (rows.empty() || !all_old) {
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
        const auto oldest = w.past.rows(kept.pruned + 1, kept.pruned + 1, 1);
        w.s.l.retention_due = w.now.mono_ms + between_looks;
        if (!oldest.empty() && old_enough(w, oldest.front(), w.config.rules.ledger_notice)) {
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
