#include "reader.hpp"

#include <algorithm>

#include <weir/base/log.hpp>

#include "binding_parts.hpp"
#include "bus_parts.hpp"

namespace weir::events::nats {

StreamReader::StreamReader(const Link& link, StreamSettings settings, NatsStreamOptions options,
                           Durability durability, std::function<void()> notify)
    : link_(link),
      settings_(std::make_shared<const StreamSettings>(std::move(settings))),
      options_(std::move(options)),
      durability_(durability),
      notify_(std::move(notify)) {}

Status StreamReader::adopt() {
    {
        std::lock_guard lock(mutex_);
        // Whoever deletes a stream while weir reads it has his reasons: it is not made again behind his back.
        if (known_) return {};
    }
    auto state = stream_state(link_, options_.stream);
    if (!state.ok() && state.error().kind == ErrorKind::NotFound) {
        if (!options_.create)
            return not_found("the NATS server has no stream \"" + options_.stream +
                             "\"; make it, or let weir make it (create)");
        // Another engine may be quicker; what it made is adopted.
        if (const auto made = create_stream(link_, options_.stream, *options_.create);
            !made.ok() && made.error().kind != ErrorKind::Conflict)
            return made;
        state = stream_state(link_, options_.stream);
    }
    if (!state.ok()) return state.error();
    if (!state->limits_retention)
        return invalid(
            "stream \"" + options_.stream +
            "\" removes messages once they are acknowledged (retention workqueue or interest): weir reads "
            "streams with retention limits only");
    if (state->in_memory)
        log::warn("a stream is kept in the NATS server's memory: it is lost when the server ends",
                  {{"stream", settings_->name}});
    std::lock_guard lock(mutex_);
    known_ = true;
    return {};
}

std::vector<std::string> StreamReader::wanted() const {
    return settings_->filters.empty() ? std::vector<std::string>{">"} : settings_->filters;
}

/// The newest message under one filter, or the position before the first.
Result<std::int64_t> StreamReader::newest_under(const std::string& filter, const StreamState& state) {
    WEIR_ASSIGN(found, last_matching(link_, options_.stream, filter));
    if (found) return found->sequence;
    // That is no proof: is there any? `low` is one, or before all; at or behind `high` there is none.
    auto low = state.first - 1, high = state.last + 1;
    WEIR_ASSIGN(any, next_from(link_, options_.stream, state.first, filter));
    if (!any) return low;
    low = any->sequence;
    while (high - low > 1) {
        const auto middle = low + (high - low) / 2;
        WEIR_ASSIGN(next, next_from(link_, options_.stream, middle, filter));
        if (next && next->sequence < high)
            low = next->sequence;
        else
            high = middle;
    }
    return low;
}

/// The newest message that reading can reach, or the position before the first.
Result<std::int64_t> StreamReader::newest_wanted(const StreamState& state) {
    auto newest = state.first - 1;
    if (state.last < state.first) return newest;
    for (const auto& filter : wanted()) {
        WEIR_ASSIGN(one, newest_under(filter, state));
        newest = std::max(newest, one);
    }
    return newest;
}

Result<StreamInfo> StreamReader::look() {
    WEIR_ASSIGN(state, stream_state(link_, options_.stream));
    StreamInfo info;
    info.name = settings_->name;
    info.incarnation = state.created;
    info.first = Position(state.first);
    info.head = info.last = Position(state.last);
    info.durability = durability_;
    {
        std::lock_guard lock(mutex_);
        known_ = true;
        info.removes = state.removes || removes_seen_;
        info.overtaken = state.keeps_newest_only;
    }
    if (!settings_->filters.empty() || info.removes) {
        WEIR_ASSIGN(newest, newest_wanted(state));
        info.head = Position(newest);
    }
    switch (options_.start.at) {
        case StreamStart::At::New: info.start = info.last; break;
        case StreamStart::At::Earliest: info.start = Position(state.first - 1); break;
        case StreamStart::At::Time: {
            std::unique_lock lock(mutex_);
            if (!start_ || start_created_ != state.created) {
                lock.unlock();
                WEIR_ASSIGN(start, last_before(options_.start.time));
                lock.lock();
                start_ = start;
                start_created_ = state.created;
            }
            info.start = std::max(*start_, Position(state.first - 1));
            break;
        }
    }
    return info;
}

bool StreamReader::lost(const StreamState& state, std::int64_t after) const {
    return state.first > after + 1 && !state.keeps_newest_only;
}

Status StreamReader::in_range(const StreamState& state, std::int64_t after) const {
    if (after > state.last) return beyond_head(settings_->name, Position(after), Position(state.last));
    if (lost(state, after))
        return positions_gone(settings_->name, Position(after + 1), Position(state.first - 1));
    return {};
}

std::shared_ptr<Session> StreamReader::session() const {
    std::lock_guard lock(mutex_);
    return session_;
}

void StreamReader::end(bool interrupted) {
    std::shared_ptr<Session> session;
    {
        std::lock_guard lock(mutex_);
        interrupted_ = interrupted_ || interrupted;
        if (!session_) return;
        session = session_;
        ended_.push_back(std::move(session_));
        session_ = nullptr;
    }
    session->end();
}

Status StreamReader::start(Position after) {
    WEIR_ASSIGN(connection, link_.connected());
    WEIR_ASSIGN(state, stream_state(link_, options_.stream));
    WEIR_TRY(in_range(state, after.value));
    auto session = std::make_shared<Session>(settings_, connection, notify_);
    {
        std::lock_guard lock(mutex_);
        if (closed_) return bus_closed();
        session_ = session;
    }
    if (const auto status = session->listen(); !status.ok()) {
        end(false);
        return status;
    }
    auto consumer = create_consumer(link_, options_.stream, after.value, settings_->server_filter());
    if (!consumer.ok()) {
        end(false);
        return consumer.error();
    }
    // A start outside of the stream is moved without a word: then the stream changed since it was looked at.
    if (consumer->begins_after != after.value && !state.keeps_newest_only) {
        end(false);
        WEIR_ASSIGN(now, stream_state(link_, options_.stream));
        WEIR_TRY(in_range(now, after.value));
        return unavailable("stream \"" + settings_->name + "\" changed while reading began");
    }
    session->begin({state.created, after.value, std::move(consumer->name)});
    return {};
}

bool StreamReader::forget_interruption() {
    std::lock_guard lock(mutex_);
    return std::exchange(interrupted_, false);
}

Result<Reading> StreamReader::read(Position after, std::size_t events_max, std::size_t bytes_max) {
    if (after.value < 0) return invalid("a position is not negative");
    for (int attempt = 0;; ++attempt) {
        auto current = session();
        if (current && current->broken()) {
            log::info("reading of a stream was interrupted",
                      {{"stream", settings_->name}, {"reason", current->why()}});
            end(true);
            current = nullptr;
        }
        if (current && !current->continues(after.value)) {
            end(false);
            current = nullptr;
        }
        if (!current) {
            if (const auto started = start(after); !started.ok()) {
                // Who is told that the stream has a gap begins elsewhere next time, and on purpose.
                if (started.error().kind == ErrorKind::Corrupt) forget_interruption();
                return started.error();
            }
            current = session();
            if (!current) return bus_closed();
        }
        if (const auto gap = current->gap()) {
            end(false);
            return *gap;
        }
        bool cut = false;
        auto reading = read_some(*current, events_max, bytes_max, cut);
        // Asked last: what was taken before came over the connection that the session began with, and only
        // then is it what follows `after`.
        if (current->broken()) {
            if (attempt == 0) continue;
            end(true);
            return unavailable("stream \"" + settings_->name + "\": " + current->why());
        }
        if (cut || !reading.ok()) end(!reading.ok() && reading.error().kind != ErrorKind::Corrupt);
        if (!reading.ok()) return reading;
        reading->upto = std::max(reading->upto, after);
        reading->interrupted = forget_interruption();
        return reading;
    }
}

/// Sets `cut` if the session is of no use any more, though what it gave is.
Result<Reading> StreamReader::read_some(Session& session, std::size_t events_max, std::size_t bytes_max,
                                        bool& cut) {
    auto taken = session.take(events_max, bytes_max);
    const bool jumped =
        taken.jump_from >= 0 || std::any_of(taken.marks.begin(), taken.marks.end(),
                                            [](const auto& mark) { return mark.jump_from >= 0; });
    Reading reading;
    reading.upto = Position(taken.upto);
    reading.arrivals = std::move(taken.arrivals);
    if (!jumped) return reading;
    WEIR_ASSIGN(state, stream_state(link_, options_.stream));
    taken.marks.push_back({0, taken.jump_from});
    for (std::size_t i = 0; i < taken.marks.size(); ++i) {
        const auto before = taken.marks[i].jump_from;
        if (before < 0 || !lost(state, before)) continue;
        const auto behind = i < reading.arrivals.size() ? reading.arrivals[i].position.value : taken.upto + 1;
        if (i == 0)
            return positions_gone(settings_->name, Position(before + 1),
                                  Position(std::max(before + 1, std::min(behind, state.first) - 1)));
        // What came before the gap is given; the gap stands where the next reading begins.
        reading.arrivals.resize(i);
        reading.upto = Position(before);
        cut = true;
        return reading;
    }
    if (settings_->server_filter().empty()) {
        std::lock_guard lock(mutex_);
        removes_seen_ = true;
    }
    return reading;
}

Result<Arrival> StreamReader::at(Position position) {
    const auto nothing = nothing_at(settings_->name, position);
    if (position.value < 1) return nothing;
    WEIR_ASSIGN(connection, link_.connected());
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = link_.timeout_ms();
    jsCtx* context = nullptr;
    if (const auto s = natsConnection_JetStream(&context, connection->get(), &options); s != NATS_OK)
        return library_error("use JetStream", s);
    natsMsg* message = nullptr;
    jsErrCode code{};
    const auto s = js_GetMsg(&message, context, options_.stream.c_str(),
                             static_cast<std::uint64_t>(position.value), nullptr, &code);
    jsCtx_Destroy(context);
    if (code == JSNoMessageFoundErr) return nothing;
    if (code == JSStreamNotFoundErr)
        return not_found("the NATS server has no stream \"" + options_.stream + "\"");
    if (s == NATS_NOT_FOUND) return nothing;
    if (s != NATS_OK) return library_error("read position " + std::to_string(position.value), s);
    const bool ours = settings_->wants(natsMsg_GetSubject(message));
    auto arrival =
        ours ? arrival_of(message, position, from_ns(natsMsg_GetTime(message)), *settings_) : Arrival();
    natsMsg_Destroy(message);
    if (!ours) return nothing;
    return arrival;
}

Result<Arrival> StreamReader::decode(const Message& message, Position position, Instant time) const {
    // A mapping of its own: the reader's belongs to who reads.
    std::optional<JsonMapping> mapping;
    if (options_.mapping) {
        WEIR_ASSIGN(compiled, JsonMapping::compile(*options_.mapping));
        mapping = std::move(compiled);
    }
    DecodeContext context;
    context.mapping = mapping ? &*mapping : nullptr;
    context.place = {settings_->bus, settings_->stream, position.value, time};
    context.limits = settings_->limits;
    return decoded_arrival(decode_nats(message, context), message, position, time);
}

Result<Position> StreamReader::last_before(Instant time) {
    WEIR_ASSIGN(state, stream_state(link_, options_.stream));
    // `low` came in time or is before everything; what stands at or behind `high` came later, if anything
    // does.
    auto low = state.first - 1, high = state.last + 1;
    while (high - low > 1) {
        const auto middle = low + (high - low) / 2;
        WEIR_ASSIGN(found, next_from(link_, options_.stream, middle));
        if (found && found->sequence < high && found->time <= time)
            low = found->sequence;
        else
            high = middle;
    }
    return Position(low);
}

void StreamReader::check() {
    const auto current = session();
    if (!current) return;
    if (current->broken()) {
        // Whoever reads is to come and begin anew, once there is something to begin with.
        if (link_.up()) notify_();
        return;
    }
    check(*current);
}

void StreamReader::check(Session& session) {
    const auto standing = session.standing();
    auto state = stream_state(link_, options_.stream);
    if (!state.ok()) {
        if (state.error().kind == ErrorKind::NotFound) session.give_up(state.error().message);
        return;
    }
    if (session.created().empty()) return; // just being made
    if (state->created != session.created()) return session.give_up("the stream was deleted and made anew");
    if (state->last < standing.received)
        return session.give_up("the stream ends at " + std::to_string(state->last) + ", before position " +
                               std::to_string(standing.received) + " that was read");
    session.watch(clock_.steady_now());
    look_behind(session, standing, *state);
}

/// Is there nothing for us behind what came? Then we stand at the stream's end. Or is it gone before it came?
void StreamReader::look_behind(Session& session, const Session::Standing& standing,
                               const StreamState& state) {
    const bool stands = std::exchange(stood_at_, standing.received) == standing.received;
    if (state.last == standing.received || !stands) {
        suspected_ = 0;
        return;
    }
    bool nothing_left = true;
    for (const auto& filter : wanted()) {
        const auto next = next_from(link_, options_.stream, standing.received + 1, filter);
        if (!next.ok()) return;
        nothing_left = nothing_left && !*next;
    }
    const bool passed = lost(state, standing.received);
    // Filtered by the server and never paused: what was for us was sent when it came.
    const bool only_others = nothing_left && !settings_->server_filter().empty() && !standing.paused;
    if (nothing_left && (!passed || only_others)) {
        session.advance(standing.received, state.last);
        suspected_ = 0;
        return;
    }
    if (!passed) {
        suspected_ = 0;
        return;
    }
    // Between server and us some may be on their way: the same once more makes it certain.
    if (suspected_ != standing.received + 1) {
        suspected_ = standing.received + 1;
        return;
    }
    session.set_gap(
        positions_gone(settings_->name, Position(standing.received + 1), Position(state.first - 1)));
}

bool StreamReader::sweep() {
    std::vector<std::shared_ptr<Session>> done;
    std::lock_guard lock(mutex_);
    const auto split =
        std::stable_partition(ended_.begin(), ended_.end(), [](const auto& s) { return !s->done(); });
    done.assign(std::make_move_iterator(split), std::make_move_iterator(ended_.end()));
    ended_.erase(split, ended_.end());
    return ended_.empty();
}

void StreamReader::close() {
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    end(false);
}

} // namespace weir::events::nats
