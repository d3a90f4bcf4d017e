// Which streams there are, how they are read, and what was lost (design, sections 2 and 4).

#include <algorithm>

#include <weir/base/log.hpp>

#include "stream.hpp"

namespace weir::engine {
namespace {

constexpr auto note_every = std::chrono::seconds(10);
constexpr auto release_every = std::chrono::seconds(1);

ReadPlace place_of(const ledger::StreamState& state) {
    return {state.incarnation, state.position, state.event, state.digest, state.time};
}

ledger::StreamState first_sight(const events::StreamInfo& info, Position start) {
    ledger::StreamState state;
    state.name = info.name;
    state.kind = "bus";
    state.family = info.family;
    state.incarnation = info.incarnation;
    state.position = start;
    return state;
}

/// What was lost between the time the gap was found and now: nobody read on meanwhile.
std::optional<StreamGap> lost_since(const ledger::GapRow& open, const std::optional<StreamGap>& now) {
    if (!now) return {};
    if (now->kind == "recreated" && open.kind != "recreated") return now;
    if (now->kind != "retention" || (open.kind == "retention" && now->to <= open.to)) return {};
    auto more = *now;
    if (open.kind == "retention") more.from = Position(open.to.value + 1);
    more.detail = "positions " + std::to_string(more.from.value) + " to " + std::to_string(more.to.value) +
                  " were removed before the gap before them was accepted";
    return more;
}

struct AcceptedGap {
    AcceptGapInput input;
    std::optional<StreamGap> more; ///< lost besides what the open gap says
};

/// Where reading goes on. Retention does not wait for whoever accepts, nor does one who deletes the stream.
Result<AcceptedGap> resolve_gap(events::Bus& bus, const ledger::GapRow& open, const ReadPlace& read,
                                AcceptGapInput input) {
    WEIR_ASSIGN(info, bus.look(input.stream));
    WEIR_ASSIGN(now, find_gap(bus, info, read));
    WEIR_ASSIGN(after, position_after(bus, info, now ? now->kind : input.kind, read));
    // What came behind the end that was found then is new, whatever its producer's clock says.
    const bool same_stream = info.incarnation == read.incarnation;
    if (open.kind == "truncated" && same_stream) after = std::min(after, Position(open.from.value - 1));
    input.resume = std::max(after, Position(info.first.value - 1));
    input.incarnation = info.incarnation;
    return AcceptedGap{std::move(input), lost_since(open, now)};
}

} // namespace

Shell::Stream* Shell::find_stream(std::string_view name) {
    const auto found =
        std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s->name == name; });
    return found == streams_.end() ? nullptr : found->get();
}

bool Shell::left_out(const Stream& stream) const {
    return stream.unreachable_since &&
           ports_.clock.steady_now() - *stream.unreachable_since > config_.source_grace;
}

Shell::Stream& Shell::add_stream(const ledger::StreamState& state, events::Bus& bus, Feed* feed) {
    auto stream = std::make_unique<Stream>();
    stream->no = state.no;
    stream->name = state.name;
    stream->family = state.family;
    stream->incarnation = state.incarnation;
    stream->bus = &bus;
    stream->feed = feed;
    stream->read = state.position;
    stream->known = place_of(state);
    stream->newest = state.time;
    streams_.push_back(std::move(stream));
    return *streams_.back();
}

Status Shell::open_streams(const ledger::Snapshot& snapshot) {
    next_gap_ = snapshot.next_gap;
    next_letter_ = snapshot.next_dead_letter;
    ledger::StreamState internal;
    internal.name = internal.kind = "internal";
    WEIR_TRY(ports_.ledger.register_stream(internal));
    for (auto* bus : ports_.buses) {
        buses_.push_back(std::make_unique<BusHandle>());
        auto& handle = *buses_.back();
        handle.bus = bus;
        handle.name = bus->state().name;
        if (!bus->remote()) {
            WEIR_TRY(open_inline(*bus));
            continue;
        }
        open_feed(handle);
        // What was read before is waited for, however long the bus takes to answer.
        for (const auto& state : snapshot.streams) {
            if (state.kind != "bus" || !state.name.starts_with(handle.name + "/")) continue;
            auto& stream = add_stream(state, *bus, handle.feed.get());
            stream.unreachable_since = ports_.clock.steady_now();
            stream.unreachable_why = "its bus was not reached yet";
        }
    }
    for (const auto& gap : snapshot.gaps)
        for (auto& stream : streams_)
            if (stream->no == gap.stream) {
                stream->gap = gap;
                stream->stopped = gap.detail;
            }
    for (auto& handle : buses_)
        if (handle->feed) handle->feed->start();
    return {};
}

Status Shell::open_inline(events::Bus& bus) {
    WEIR_ASSIGN(infos, bus.streams());
    for (const auto& info : infos) {
        WEIR_ASSIGN(state, ports_.ledger.register_stream(first_sight(info, info.start)));
        auto& stream = add_stream(state, bus, nullptr);
        stream.followed = true;
        WEIR_ASSIGN(gap, find_gap(bus, info, stream.known));
        if (gap) stop_stream(stream, *gap);
    }
    return {};
}

void Shell::open_feed(BusHandle& handle) {
    const auto on_loop = [this, alive = alive_](auto work) {
        ports_.post([alive, work = std::move(work)]() mutable {
            if (*alive) work();
        });
    };
    FeedSink sink;
    sink.looked = [this, &handle, on_loop](Instant asked, std::vector<events::StreamInfo> infos) {
        on_loop([this, &handle, asked, infos = std::move(infos)] { looked(handle, asked, infos); });
    };
    sink.read = [this, on_loop](const Following& what, events::Reading reading) {
        // Shared: a posted task is copied about.
        auto shared = std::make_shared<events::Reading>(std::move(reading));
        on_loop([this, stream = what.stream, generation = what.generation, shared] {
            delivered(stream, generation, std::move(*shared));
        });
    };
    sink.gap = [this, on_loop](const Following& what, StreamGap gap) {
        on_loop([this, stream = what.stream, generation = what.generation, gap = std::move(gap)] {
            auto* found = find_stream(stream);
            if (found != nullptr && found->generation == generation) stop_stream(*found, gap);
        });
    };
    sink.unreachable = [this, &handle, on_loop](std::string stream, Error error) {
        on_loop([this, &handle, stream = std::move(stream), error = std::move(error)] {
            unreachable(handle, stream, error);
        });
    };
    FeedLimits limits;
    limits.events_max = config_.batch_max;
    limits.bytes_max = config_.read_bytes_max;
    limits.waiting_max = 2 * config_.buffer_max;
    handle.feed = std::make_unique<Feed>(*handle.bus, ports_.clock, std::move(sink), limits);
}

void Shell::looked(BusHandle& handle, Instant asked, const std::vector<events::StreamInfo>& infos) {
    std::set<std::string> families;
    for (const auto& stream : streams_)
        if (!stream->family.empty()) families.insert(stream->family);
    std::vector<ledger::StreamState> sights;
    for (const auto& info : infos) {
        auto* stream = find_stream(info.name);
        if (stream == nullptr) {
            // A partition that was added to a topic we read is read from its beginning.
            const bool grown = families.count(info.family) != 0;
            sights.push_back(first_sight(info, grown ? Position(info.first.value - 1) : info.start));
            continue;
        }
        // A look says nothing about reading.
        const bool reached = stream->unreachable_since && !stream->read_failed;
        if (stream->absent || reached) log::info("a stream is read (again)", {{"stream", info.name}});
        stream->absent = stream->vanished = false;
        if (reached) stream->unreachable_since.reset();
        if (!stream->live()) continue;
        if (!stream->followed) follow(*stream);
        if (info.head <= stream->read)
            stream->empty_at = std::max(stream->empty_at, asked);
        else if (stream->behind.asked == Instant{})
            stream->behind = {info.head, asked};
    }
    register_all(handle, std::move(sights));
    handle.trouble.clear();
    for (auto& stream : streams_) {
        if (stream->bus != handle.bus || stream->absent) continue;
        const bool there = std::any_of(infos.begin(), infos.end(),
                                       [&](const auto& info) { return info.name == stream->name; });
        if (there) continue;
        stream->absent = true;
        stream->vanished = stream->followed;
        stream->followed = false;
        handle.feed->forget(stream->name);
        log::warn(
            "a stream that was read is not on its bus, or not configured any more; decisions go on "
            "without it",
            {{"stream", stream->name}});
    }
}

/// The ledger writes on one thread only, so new streams are registered there, all that were found in one go.
void Shell::register_all(BusHandle& handle, std::vector<ledger::StreamState> sights) {
    if (sights.empty() || handle.registering) return;
    handle.registering = true;
    ports_.commit_on([this, alive = alive_, &handle, sights = std::move(sights)] {
        std::vector<Result<ledger::StreamState>> states;
        for (const auto& sight : sights)
            states.push_back(ports_.ledger.register_stream(sight));
        ports_.post([this, alive, &handle, states = std::move(states)] {
            if (*alive) registered(handle, states);
        });
    });
}

void Shell::registered(BusHandle& handle, const std::vector<Result<ledger::StreamState>>& states) {
    handle.registering = false;
    for (const auto& state : states) {
        if (!state.ok()) {
            // Found again at the next look.
            log::error("a stream could not be registered", {{"error", state.error().message}});
            continue;
        }
        if (find_stream(state->name) != nullptr) continue;
        log::info("a stream is read for the first time",
                  {{"stream", state->name}, {"after", state->position.value}});
        follow(add_stream(*state, *handle.bus, handle.feed.get()));
    }
}

void Shell::follow(Stream& stream) {
    stream.followed = true;
    ++stream.generation;
    ReadPlace place = stream.known;
    place.position = stream.read;
    place.time = stream.newest;
    stream.feed->follow({stream.name, std::move(place), stream.generation});
    stream.feed->ask();
}

void Shell::delivered(const std::string& name, std::uint64_t generation, events::Reading reading) {
    auto* stream = find_stream(name);
    if (stream == nullptr || stream->generation != generation) return;
    stream->unreachable_since.reset();
    stream->read_failed = false;
    stream->read = std::max(stream->read, reading.upto);
    for (auto& arrival : reading.arrivals) {
        stream->newest = std::max(stream->newest, arrival.time);
        stream->buffer.push_back(std::move(arrival));
    }
    if (stream->behind.asked != Instant{} && stream->behind.head <= stream->read)
        stream->empty_at = std::max(stream->empty_at, std::exchange(stream->behind.asked, Instant{}));
}

void Shell::unreachable(BusHandle& handle, const std::string& name, const Error& error) {
    for (auto& stream : streams_) {
        if (stream->bus != handle.bus || (!name.empty() && stream->name != name)) continue;
        stream->unreachable_why = error.message;
        stream->read_failed = stream->read_failed || !name.empty();
        if (stream->unreachable_since) continue;
        stream->unreachable_since = ports_.clock.steady_now();
        log::warn("a stream cannot be read", {{"stream", stream->name}, {"error", error.message}});
    }
    if (!name.empty()) return;
    // Once: the words of an error change with every attempt.
    if (handle.trouble.empty())
        log::warn("a bus does not answer", {{"bus", handle.name}, {"error", error.message}});
    handle.trouble = error.message;
}

ledger::GapRow Shell::gap_row(const Stream& stream, const StreamGap& gap) {
    ledger::GapRow row;
    row.no = ledger::GapNo(next_gap_.value++);
    row.stream = stream.no;
    row.kind = gap.kind;
    row.from = gap.from;
    row.to = gap.to;
    row.detail = gap.detail;
    row.found = ports_.clock.now();
    ++counters_.gaps;
    return row;
}

/// The batch may be on its way to the disk just now: the gap is written with the next one.
void Shell::stop_stream(Stream& stream, const StreamGap& gap) {
    if (!stream.stopped.empty()) return;
    auto row = gap_row(stream, gap);
    stream.stopped = gap.detail;
    stream.gap = row;
    found_gaps_.push_back(std::move(row));
    log::error("a stream has a gap and is not read until it is accepted: weir stream accept-gap",
               {{"stream", stream.name}, {"kind", gap.kind}, {"detail", gap.detail}});
}

/// A read on the loop failed for good: what was lost?
void Shell::check_place(Stream& stream, const Error& why) {
    const auto info = stream.bus->look(stream.name);
    if (!info.ok()) return;
    ReadPlace place = stream.known;
    place.position = stream.read;
    if (place.event < stream.read && !stream.buffer.empty()) place.event = Position(0);
    const auto gap = find_gap(*stream.bus, *info, place);
    if (gap.ok() && *gap) return stop_stream(stream, **gap);
    const Position next(stream.read.value + 1);
    stop_stream(stream, {"unreadable", next, stream.read, why.message});
}

void Shell::accept_gap(const std::string& name, const std::string& principal, const std::string& reason,
                       Done done) {
    auto* stream = find_stream(name);
    if (stream == nullptr) return done({not_found("there is no stream \"" + name + "\""), {}});
    if (!stream->gap) return done({conflict("the stream \"" + name + "\" has no gap: it is read"), {}});
    auto place = stream->known;
    place.position = stream->read;
    place.time = stream->newest;
    AcceptGapInput input{stream->gap->no, name,  stream->gap->kind, stream->gap->detail, {}, {},
                         principal,       reason};
    const auto resolve = [place, input, open = *stream->gap](events::Bus& bus) {
        return resolve_gap(bus, open, place, input);
    };
    const auto go_on = [this, name, done](const Result<AcceptedGap>& resolved) {
        if (!resolved.ok()) return done({resolved.error(), {}});
        if (auto* found = find_stream(name)) found->lost_besides = resolved->more;
        submit(resolved->input, done);
    };
    if (stream->feed == nullptr) return go_on(resolve(*stream->bus));
    stream->feed->run([this, alive = alive_, resolve, go_on](events::Bus& bus) {
        ports_.post([alive, go_on, resolved = resolve(bus)] {
            if (*alive) go_on(resolved);
        });
    });
}

void Shell::gap_accepted(const AcceptGapInput& accepted, Seq seq) {
    auto* stream = find_stream(accepted.stream);
    if (stream == nullptr || !stream->gap || stream->gap->no != accepted.gap) return;
    batch_.gaps_accepted.push_back({accepted.gap, seq});
    if (const auto more = std::exchange(stream->lost_besides, {})) {
        auto row = gap_row(*stream, *more);
        row.accepted = seq;
        log::error("more of a stream was lost before its gap was accepted",
                   {{"stream", stream->name}, {"kind", row.kind}, {"detail", row.detail}});
        batch_.gaps.push_back(std::move(row));
    }
    if (stream->incarnation != accepted.incarnation)
        batch_.streams.push_back({stream->no, accepted.incarnation});
    stream->incarnation = stream->known.incarnation = accepted.incarnation;
    stream->read = stream->known.position = accepted.resume;
    stream->known.event = Position(0);
    stream->known.digest = {};
    stream->last.reset();
    stream->passed.reset();
    stream->moved = true;
    stream->gap.reset();
    stream->stopped.clear();
    stream->behind = {};
    log::warn("a gap was accepted; the stream is read on",
              {{"stream", stream->name}, {"after", accepted.resume.value}, {"by", accepted.principal}});
    if (stream->feed != nullptr) follow(*stream);
}

void Shell::bury(Stream& stream, const events::Arrival& arrival) {
    const auto& poison = *arrival.poison;
    ledger::DeadLetterRow row;
    row.no = ledger::DeadLetterNo(next_letter_.value++);
    row.stream = stream.no;
    row.position = arrival.position;
    row.time = arrival.time;
    row.reason = poison.reason;
    row.message = events::encode_message(poison.message);
    row.bytes = static_cast<std::int64_t>(poison.bytes);
    row.cut = poison.cut;
    batch_.dead_letters.push_back(std::move(row));
    stream.last.reset();
    stream.passed.reset();
    stream.known.digest = events::place_digest(arrival);
    if (++counters_.dead_letters <= 10)
        log::warn("a message is no event; it is kept: weir events --dead",
                  {{"stream", stream.name}, {"position", arrival.position.value}, {"reason", poison.reason}});
}

/// Places without arrivals (what a filter leaves out) are written down now and then.
void Shell::note_idle_places() {
    const auto now = ports_.clock.steady_now();
    for (auto& stream : streams_) {
        if (!stream->buffer.empty() || stream->read <= stream->known.position || !stream->live() ||
            now < stream->note_at)
            continue;
        stream->known.position = stream->read;
        stream->moved = true;
        stream->note_at = now + note_every;
    }
}

/// Tells the bus how far the ledger is. A hint only.
void Shell::release(Stream& stream) {
    if (stream.feed == nullptr) {
        (void)stream.bus->release(stream.name, stream.known.position);
        return;
    }
    const auto now = ports_.clock.steady_now();
    if (now < stream.release_at) return;
    stream.release_at = now + release_every;
    stream.feed->run([name = stream.name, position = stream.known.position](events::Bus& bus) {
        (void)bus.release(name, position);
    });
}

events::Bus* Shell::bus_of(std::string_view stream) const {
    const auto found =
        std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s->name == stream; });
    return found == streams_.end() ? nullptr : (*found)->bus;
}

std::vector<events::BusState> Shell::bus_states() const {
    std::vector<events::BusState> states;
    for (const auto* bus : ports_.buses)
        states.push_back(bus->state());
    return states;
}

std::vector<Shell::StreamView> Shell::streams() const {
    std::vector<StreamView> views;
    for (const auto& stream : streams_) {
        StreamView view;
        view.name = stream->name;
        view.bus = stream->bus->state().name;
        view.incarnation = stream->incarnation;
        view.position = stream->read;
        view.stopped = stream->stopped;
        view.absent = stream->absent;
        view.vanished = stream->vanished;
        if (stream->unreachable_since) view.unreachable = stream->unreachable_why;
        view.left_out = left_out(*stream);
        view.buffered = stream->buffer.size();
        views.push_back(std::move(view));
    }
    return views;
}

} // namespace weir::engine
