#include <algorithm>
#include <charconv>
#include <map>

#include <weir/base/text.hpp>
#include <weir/engine/why.hpp>
#include <weir/events/http_codec.hpp>

#include "api_impl.hpp"
#include "json_object.hpp"
#include "listing.hpp"

namespace weir::server {
namespace {

/// Inside one batch the same identity may come twice only with the same content: which one would be first?
Status check_conflicts(const std::vector<events::Event>& events) {
    std::map<std::pair<std::string_view, std::string_view>, std::size_t> seen;
    for (std::size_t i = 0; i < events.size(); ++i) {
        const auto [first, fresh] = seen.try_emplace({events[i].source, events[i].id}, i);
        if (fresh || events::digest_of(events[first->second]) == events::digest_of(events[i])) continue;
        return conflict("events " + std::to_string(first->second + 1) + " and " + std::to_string(i + 1) +
                        " of the batch have the same source \"" + printable(events[i].source) +
                        "\" and id \"" + printable(events[i].id) +
                        "\" but different content; nothing was accepted");
    }
    return {};
}

Response refusal_of(const Error& error) {
    if (error.kind == ErrorKind::Exhausted) return problem(413, "over-limit", error.message);
    if (error.kind == ErrorKind::Unsupported) return problem(415, "unsupported-media-type", error.message);
    return problem(error);
}

std::optional<Seq> as_seq(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
    return Seq(number);
}

bool is_event(const ledger::InputRow& row) {
    return row.kind == ledger::InputKind::Arrival || row.kind == ledger::InputKind::Settlement;
}

Result<bool> read_flag(const Call& call, std::string_view name, bool otherwise) {
    const auto* text = call.target.find(name);
    if (text == nullptr) return otherwise;
    if (*text == "true") return true;
    if (*text == "false") return false;
    return invalid("`" + std::string(name) + "` must be true or false");
}

} // namespace

Result<Response> Api::Impl::publish_events(const Call& call) {
    std::vector<events::HttpHeader> headers;
    headers.reserve(call.request.headers.size());
    for (const auto& header : call.request.headers)
        headers.emplace_back(header.name, header.value);
    events::BatchLimits limits;
    limits.bytes_max = config.batch_bytes_max;
    limits.events_max = config.batch_events_max;
    limits.event.bytes_max = config.event_bytes_max;
    auto decoded = events::decode_http(headers, call.request.body, limits);
    if (!decoded.ok()) return refusal_of(decoded.error());
    WEIR_TRY(check_conflicts(*decoded));
    if (!decoded->empty()) WEIR_TRY(ports.engine.publish(*decoded));
    JsonObject body;
    body.number("accepted", static_cast<std::int64_t>(decoded->size()));
    if (decoded->size() == 1) body.text("source", decoded->front().source).text("id", decoded->front().id);
    return json_response(body.end() + "\n", 202);
}

Result<Response> Api::Impl::list_events(const Call& call) {
    WEIR_ASSIGN(with_data, read_flag(call, "data", false));
    WEIR_ASSIGN(query, read_query(call, ports.clock.now()));
    // A page of large payloads would not fit into memory many times over.
    if (with_data) query.limit = std::min<std::size_t>(query.limit, 100);
    WEIR_ASSIGN(after, call.reader.head());
    WEIR_ASSIGN(page, call.reader.events(query));
    std::vector<std::string> lines;
    for (const auto& row : page.rows) {
        lines.push_back(engine::event_line(row, with_data));
        after = std::max(after, row.seq);
    }
    return listing(call, lines, page.next, after);
}

Result<Response> Api::Impl::show_event(const Call& call) {
    const auto& wanted = call.values[0];
    const auto source = call.query("source");
    WEIR_ASSIGN(with_data, read_flag(call, "data", true));
    if (const auto seq = as_seq(wanted); seq && source.empty()) {
        auto row = call.reader.input(*seq);
        if (row.ok() && !row->team.empty()) WEIR_TRY(call.caller.check_team(row->team));
        if (row.ok() && is_event(*row)) return json_response(engine::event_line(*row, with_data) + "\n");
        if (!row.ok() && row.error().kind != ErrorKind::NotFound) return row.error();
    }
    WEIR_ASSIGN(rows, call.reader.events_by_id(wanted, source));
    if (rows.empty()) {
        return not_found("no recorded event has the id \"" + printable(wanted) +
                         "\"; events that met no trigger's pattern are only counted");
    }
    // The original, not its duplicates: the oldest of one source.
    const auto& oldest = rows.back();
    std::string sources;
    bool several = false;
    for (const auto& row : rows) {
        several = several || row.source != oldest.source;
        if (sources.find("\"" + printable(row.source) + "\"") == std::string::npos)
            sources += (sources.empty() ? "\"" : ", \"") + printable(row.source) + "\"";
    }
    if (several) return invalid("events of several sources have this id; say which by source=: " + sources);
    WEIR_ASSIGN(whole, call.reader.input(oldest.seq));
    return json_response(engine::event_line(whole, with_data) + "\n");
}

} // namespace weir::server
