#include <algorithm>
#include <charconv>

#include <weir/base/text.hpp>
#include <weir/events/message.hpp>

#include "api_impl.hpp"
#include "body.hpp"
#include "json_object.hpp"
#include "lines.hpp"
#include "listing.hpp"

namespace weir::server {
namespace {

std::string gap_json(const ledger::GapRow& gap) {
    JsonObject object;
    object.text("kind", gap.kind).number("from", gap.from.value);
    if (gap.to < gap.from)
        object.raw("to", "null"); // how much was lost is not known
    else
        object.number("to", gap.to.value);
    object.text("detail", gap.detail).time("found_at", gap.found);
    if (gap.accepted) object.number("accepted_seq", gap.accepted->value);
    return object.end();
}

std::string stream_line(const engine::StreamReport& stream, const std::vector<ledger::GapRow>& gaps) {
    JsonObject object;
    object.text("stream", stream.name)
        .text("bus", stream.bus)
        .text("kind", stream.kind)
        .text("state", stream.state)
        .number("position", stream.position.value)
        .text("durability", stream.durability)
        .text_or_null("durability_note", stream.durability_note)
        .text("incarnation", stream.incarnation)
        .text_or_null("detail", stream.detail);
    std::string list;
    for (const auto& gap : gaps)
        if (gap.stream_name == stream.name) list += (list.empty() ? "" : ",") + gap_json(gap);
    return object.raw("gaps", "[" + list + "]").end();
}

JsonObject letter_object(const ledger::DeadLetterRow& letter) {
    JsonObject object;
    object.number("dead_letter", letter.no.value)
        .text_or_null("stream", letter.stream_name)
        .number("position", letter.position.value)
        .time("arrived_at", letter.time)
        .text("reason", letter.reason)
        .number("bytes", letter.bytes)
        .boolean("cut", letter.cut)
        .time("replayed_at", letter.replayed.value_or(Instant{}));
    if (letter.replayed)
        object.number("replayed_seq", letter.replayed_seq.value);
    else
        object.raw("replayed_seq", "null");
    return object;
}

Result<ledger::DeadLetterNo> letter_in(const Call& call) {
    const auto& text = call.values[0];
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || number < 1)
        return invalid("a dead letter has a number, not \"" + printable(text, 60) + "\"");
    return ledger::DeadLetterNo(number);
}

Result<std::string> letter_json(ledger::LedgerReader& reader, ledger::DeadLetterNo no) {
    WEIR_ASSIGN(letter, reader.dead_letter(no));
    auto object = letter_object(letter);
    if (letter.message.empty()) {
        object.raw("message", "null");
    } else {
        WEIR_ASSIGN(message, events::decode_message(letter.message));
        object.raw("message", events::message_json(message));
    }
    return object.end();
}

} // namespace

Result<Response> Api::Impl::list_streams(const Call& call) {
    WEIR_ASSIGN(streams, ports.engine.streams());
    WEIR_ASSIGN(gaps, call.reader.gaps());
    std::vector<std::string> lines;
    for (const auto& stream : streams)
        lines.push_back(stream_line(stream, gaps));
    return listing(call, lines, {}, {});
}

Result<Response> Api::Impl::accept_gap(const Call& call) {
    WEIR_ASSIGN(body, Body::read(call.request, {"reason"}, true, config.command_bytes_max));
    WEIR_ASSIGN(actor, read_actor(call, body));
    const auto& name = call.values[0];
    WEIR_TRY(ports.engine.accept_gap(name, actor));
    WEIR_ASSIGN(streams, ports.engine.streams());
    WEIR_ASSIGN(gaps, call.reader.gaps());
    for (const auto& stream : streams)
        if (stream.name == name) return json_response(stream_line(stream, gaps) + "\n");
    return not_found("there is no stream \"" + printable(name, 200) + "\"");
}

Result<Response> Api::Impl::list_dead_letters(const Call& call) {
    WEIR_ASSIGN(query, read_query(call, ports.clock.now()));
    query.source = call.query("stream");
    WEIR_ASSIGN(page, call.reader.dead_letters(query));
    std::vector<std::string> lines;
    Seq after;
    for (const auto& row : page.rows) {
        lines.push_back(letter_object(row).end());
        after = std::max(after, Seq(row.no.value));
    }
    return listing(call, lines, page.next, after);
}

Result<Response> Api::Impl::show_dead_letter(const Call& call) {
    WEIR_ASSIGN(no, letter_in(call));
    WEIR_ASSIGN(line, letter_json(call.reader, no));
    return json_response(line + "\n");
}

Result<Response> Api::Impl::replay_dead_letter(const Call& call) {
    WEIR_ASSIGN(no, letter_in(call));
    WEIR_ASSIGN(body, Body::read(call.request, {"reason"}, true, config.command_bytes_max));
    WEIR_ASSIGN(actor, read_actor(call, body));
    WEIR_TRY(ports.engine.replay(no, actor));
    WEIR_ASSIGN(line, letter_json(call.reader, no));
    return json_response(line + "\n");
}

} // namespace weir::server
