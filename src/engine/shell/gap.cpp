#include "gap.hpp"

#include <algorithm>

namespace weir::engine {
namespace {

std::string number(Position position) {
    return std::to_string(position.value);
}

std::string what_is_there(const events::StreamInfo& now) {
    if (now.head.value < now.first.value) return "it holds nothing now";
    return "it holds " + number(now.first) + " to " + number(now.head) + " now";
}

std::string name_of(const events::Arrival& arrival) {
    if (arrival.poison) return "a message that is no event";
    return "the event \"" + arrival.event.id + "\" of \"" + arrival.event.source + "\"";
}

StreamGap recreated(const events::StreamInfo& now, const ReadPlace& read) {
    return {"recreated", Position(read.position.value + 1), read.position,
            "the stream was deleted and made anew (it is " + now.incarnation + ", it was " +
                read.incarnation + "): what the old one had after " + number(read.position) +
                " is lost, how much is unknown; " + what_is_there(now)};
}

StreamGap retention(const events::StreamInfo& now, const ReadPlace& read) {
    const Position from(read.position.value + 1), to(now.first.value - 1);
    return {"retention", from, to,
            "positions " + number(from) + " to " + number(to) + " were removed before they were read; " +
                what_is_there(now)};
}

StreamGap truncated(const events::StreamInfo& now, const ReadPlace& read) {
    return {"truncated", Position(std::max(now.head, now.last).value + 1), read.position,
            "the stream ends at " + number(std::max(now.head, now.last)) + ", but it was read up to " +
                number(read.position) +
                ": the server lost what it had acknowledged. What was read is in the ledger; what came after "
                "it, if "
                "anything, is lost"};
}

StreamGap rewritten(const ReadPlace& read, const events::Arrival& found) {
    return {"rewritten", read.event, read.position,
            "at position " + number(read.event) + " there is now " + name_of(found) +
                ", which is not what was read there: the server lost events and gave their numbers out "
                "again, or the "
                "stream was made anew"};
}

} // namespace

Result<std::optional<StreamGap>> find_gap(events::Bus& bus, const events::StreamInfo& now,
                                          const ReadPlace& read) {
    if (now.incarnation != read.incarnation) return std::optional(recreated(now, read));
    const auto last = std::max(now.head, now.last);
    if (read.position > last && read.position.value + 1 != now.first.value)
        return std::optional(truncated(now, read));
    if (read.event.value > 0 && read.digest != Digest{} && read.event >= now.first && read.event <= last) {
        auto found = bus.at(now.name, read.event);
        // Single events may be removed for good reasons: then nothing can be said.
        if (!found.ok() && found.error().kind != ErrorKind::NotFound) return found.error();
        // The same instant: the same message, read another way since (a mapping was changed or added).
        if (found.ok() && events::place_digest(*found) != read.digest && found->time != read.time)
            return std::optional(rewritten(read, *found));
    }
    if (read.position.value + 1 < now.first.value && !now.overtaken)
        return std::optional(retention(now, read));
    return std::optional<StreamGap>();
}

Result<Position> position_after(events::Bus& bus, const events::StreamInfo& now, std::string_view kind,
                                const ReadPlace& read) {
    const Position before_first(now.first.value - 1);
    if (kind == "recreated") return before_first;
    if (kind == "truncated" || kind == "rewritten") {
        if (read.time == Instant{}) return before_first;
        WEIR_ASSIGN(last, bus.last_before(now.name, read.time));
        return std::max(last, before_first);
    }
    return std::max(read.position, before_first);
}

} // namespace weir::engine
