// One order: what comes from streams, timers, backends and people, merged by arrival time (design, section
// 4).

#include <algorithm>

#include <weir/base/log.hpp>

#include "stream.hpp"

namespace weir::engine {

void Shell::read(Stream& stream) {
    const auto asked = ports_.clock.now();
    auto reading = stream.bus->read(stream.name, stream.read, config_.batch_max, config_.read_bytes_max);
    if (!reading.ok()) {
        if (reading.error().kind == ErrorKind::Corrupt) {
            stream.stopped = reading.error().message;
            log::error("a stream has a gap and is not read any more",
                       {{"stream", stream.name}, {"reason", stream.stopped}});
        } else if (!stream.unreachable_since) {
            stream.unreachable_since = ports_.clock.steady_now();
            log::warn("a stream cannot be read",
                      {{"stream", stream.name}, {"error", reading.error().message}});
        }
        return;
    }
    stream.unreachable_since.reset();
    if (reading->arrivals.empty()) stream.empty_at = std::max(stream.empty_at, asked);
    stream.read = reading->upto;
    for (auto& arrival : reading->arrivals)
        stream.buffer.push_back(std::move(arrival));
}

void Shell::read_streams() {
    for (auto& stream : streams_)
        if (stream->live() && stream->buffer.size() < config_.buffer_max) read(*stream);
}

std::optional<Shell::Choice> Shell::earliest() {
    std::optional<Choice> best;
    const auto offer = [&](Choice::What what, Instant time, Stream* stream) {
        // Strictly earlier: among equals the order of these calls decides, arrivals before timers.
        if (!best || time < best->time) best = Choice{what, time, stream};
    };
    for (auto& stream : streams_)
        if (!stream->buffer.empty()) offer(Choice::What::Arrival, stream->buffer.front().time, stream.get());
    // An arrival exactly at a deadline is in time, so a timer is due only when its instant has passed.
    if (const auto timer = core_->next_timer(); timer && timer->due < ports_.clock.now())
        offer(Choice::What::Timer, timer->due, nullptr);
    if (!facts_.empty()) offer(Choice::What::Fact, facts_.begin()->first, nullptr);
    if (!changes_.empty()) offer(Choice::What::Change, changes_.front().time, nullptr);
    return best;
}

Shell::Drained Shell::drained_after(Instant time, const Stream* except) {
    for (auto& stream : streams_) {
        if (stream.get() == except || !stream->live() || !stream->buffer.empty()) continue;
        if (stream->empty_at >= time) continue;
        if (stream->unreachable_since &&
            ports_.clock.steady_now() - *stream->unreachable_since > config_.source_grace)
            continue;
        const auto asked = ports_.clock.now();
        const auto info = stream->bus->look(stream->name);
        if (info.ok() && info->head <= stream->read && asked >= time) {
            stream->empty_at = asked;
            stream->unreachable_since.reset();
            continue;
        }
        read(*stream);
        if (!stream->buffer.empty()) return Drained::MoreCame;
        if (stream->live() && stream->empty_at < time) return Drained::NotYet;
    }
    return Drained::Yes;
}

std::optional<Shell::Choice> Shell::choose() {
    for (;;) {
        const auto choice = earliest();
        if (!choice) return std::nullopt;
        switch (drained_after(choice->time, choice->stream)) {
            case Drained::Yes: return choice;
            case Drained::MoreCame: break;
            case Drained::NotYet: return std::nullopt;
        }
    }
}

void Shell::gather() {
    read_streams();
    while (taken_ < config_.batch_max && !fatal_) {
        const auto choice = choose();
        if (!choice) break;
        ++taken_;
        switch (choice->what) {
            case Choice::What::Arrival: take_arrival(*choice->stream); break;
            case Choice::What::Timer: take(choice->time, core_->next_timer()->timer, {}); break;
            case Choice::What::Fact: {
                auto pending = std::move(facts_.begin()->second);
                facts_.erase(facts_.begin());
                take(pending.time, std::move(pending.what), {});
                break;
            }
            case Choice::What::Change: {
                auto pending = std::move(changes_.front());
                changes_.pop_front();
                take(pending.time, std::move(pending.what), std::move(pending.done));
                break;
            }
        }
    }
    taken_ = 0;
}

void Shell::take(Instant time, decltype(Input::what) what, Done done) {
    Input input;
    input.time = std::max(time, log_time_);
    const auto now = ports_.clock.steady_now();
    for (const auto& stream : streams_)
        if (!stream->live() ||
            (stream->unreachable_since && now - *stream->unreachable_since > config_.source_grace))
            input.without.push_back(stream->name);
    input.what = std::move(what);
    step(std::move(input), std::move(done));
}

void Shell::take_arrival(Stream& stream) {
    auto arrival = std::move(stream.buffer.front());
    stream.buffer.pop_front();
    ++counters_.arrivals;
    stream.moved = true;
    stream.position = arrival.position;
    stream.time = arrival.time;
    stream.digest = {};

    triggers::EventView view(arrival.event);
    triggers::Matcher::Match match;
    core_->meet(view, match);
    if (!match.pattern_met) return count_arrival(arrival, stream.no);

    Input input;
    input.time = std::max(arrival.time, log_time_);
    input.late_by = input.time - arrival.time;
    ArrivalInput what;
    what.stream = stream.no;
    what.stream_name = stream.name;
    what.incarnation = stream.incarnation;
    what.position = arrival.position;
    what.digest = events::digest_of(arrival.event);
    stream.digest = what.digest;
    what.echo = arrival.event.type == triggers::finish_type &&
                arrival.event.source.starts_with("/weir/" + instance_ + "/");
    what.event = std::make_shared<const events::Event>(std::move(arrival.event));
    if (const auto status = find_duplicate(what, input.time); !status.ok()) return give_up(status.error());
    input.what = std::move(what);
    step(std::move(input), {});
}

Status Shell::find_duplicate(ArrivalInput& arrival, Instant time) {
    std::string identity;
    append_field(identity, arrival.event->source);
    append_field(identity, arrival.event->id);
    const auto [here, fresh] =
        batch_seen_.try_emplace(std::move(identity), ledger::Seen{next_seq_, arrival.digest});
    std::optional<ledger::Seen> seen;
    if (!fresh) seen = here->second;
    WEIR_ASSIGN(before, ports_.ledger.find_seen(arrival.event->source, arrival.event->id, time));
    if (before) here->second = *(seen = before);
    if (!seen) return {};
    arrival.duplicate_of = seen->seq;
    arrival.conflicting = seen->digest != arrival.digest;
    ++counters_.duplicates;
    if (!arrival.conflicting) return {};
    ++counters_.conflicting;
    log::warn(
        "an event came again with the same source and id but another content; only the first one counts",
        {{"source", arrival.event->source}, {"id", arrival.event->id}});
    return {};
}

void Shell::step(Input input, Done done) {
    const auto time = input.time;
    const StepContext context{epoch_, ports_.clock.now() + config_.launch_timeout};
    const auto runs_before = batch_.runs.size();
    auto result = core_->step(std::move(input), next_seq_, context, batch_);
    for (auto i = runs_before; i < batch_.runs.size(); ++i)
        look_fresh_.emplace(batch_.runs[i].no, ports_.clock.now());
    if (result.recorded) {
        ++next_seq_.value;
        log_time_ = time;
    }
    if (done) done_.push_back({std::move(done), {result.refused, result.run}});
    for (auto& act : result.acts)
        acts_.push_back(std::move(act));
    for (auto& followup : result.followups) {
        Input next;
        next.time = time;
        next.what = std::move(followup);
        step(std::move(next), {});
    }
}

void Shell::count_arrival(const events::Arrival& arrival, ledger::StreamNo no) {
    const std::int64_t minute = to_ns(arrival.time) / 60'000'000'000;
    for (auto& row : batch_.uncounted) {
        if (row.minute != minute || row.stream != no || row.type != arrival.event.type ||
            row.source != arrival.event.source)
            continue;
        ++row.count;
        return;
    }
    batch_.uncounted.push_back({minute, no, arrival.event.type, arrival.event.source, 1});
}

void Shell::note_positions() {
    for (const auto& stream : streams_)
        if (stream->moved) batch_.positions.push_back({stream->no, stream->position, stream->time, {}, {}});
}

} // namespace weir::engine
