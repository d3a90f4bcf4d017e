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
        if (reading.error().kind == ErrorKind::Corrupt) return check_place(stream, reading.error());
        if (!stream.unreachable_since) {
            stream.unreachable_since = ports_.clock.steady_now();
            stream.unreachable_why = reading.error().message;
            log::warn("a stream cannot be read",
                      {{"stream", stream.name}, {"error", stream.unreachable_why}});
        }
        return;
    }
    stream.unreachable_since.reset();
    if (reading->arrivals.empty()) stream.empty_at = std::max(stream.empty_at, asked);
    stream.read = std::max(stream.read, reading->upto);
    for (auto& arrival : reading->arrivals) {
        stream.newest = arrival.time = std::max(arrival.time, stream.newest);
        stream.buffer.push_back(std::move(arrival));
    }
}

void Shell::read_streams() {
    for (auto& stream : streams_)
        if (stream->feed == nullptr && stream->live() && stream->buffer.size() < config_.buffer_max)
            read(*stream);
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
    bool asked_remote = false;
    for (auto& stream : streams_) {
        if (stream.get() == except || !stream->live() || !stream->buffer.empty()) continue;
        if (stream->empty_at >= time || left_out(*stream)) continue;
        if (stream->feed != nullptr) {
            // Its answer comes by looked(); all streams are asked at once.
            stream->feed->ask();
            asked_remote = true;
            continue;
        }
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
    return asked_remote ? Drained::NotYet : Drained::Yes;
}

std::optional<Shell::Choice> Shell::choose() {
    awaiting_ = false;
    for (;;) {
        const auto choice = earliest();
        if (!choice) return std::nullopt;
        switch (drained_after(choice->time, choice->stream)) {
            case Drained::Yes: return choice;
            case Drained::MoreCame: break;
            case Drained::NotYet: awaiting_ = true; return overdue();
        }
    }
}

/// What ends an attempt matches triggers at the instant its backend gives.
bool Shell::dated_by_backend(const RunFactInput& fact) {
    using Kind = RunFactInput::Kind;
    return fact.kind == Kind::Settled || fact.kind == Kind::Ended ||
           (fact.kind == Kind::Seen && fact.settled);
}

/// While a stream does not answer, the order of arrivals waits for it, but nobody's command does: it takes
/// the log's own time, so that what comes late still finds its windows. Nor does what a backend says of a run
/// that goes on.
std::optional<Shell::Choice> Shell::overdue() {
    const auto patient_until = ports_.clock.steady_now() - config_.act_patience;
    if (!changes_.empty() && changes_.front().since <= patient_until)
        return Choice{Choice::What::Change, log_time_, nullptr, true};
    const auto fact = std::find_if(facts_.begin(), facts_.end(), [&](const auto& entry) {
        const auto* input = std::get_if<RunFactInput>(&entry.second.what);
        return entry.second.since <= patient_until && input != nullptr && !dated_by_backend(*input);
    });
    if (fact == facts_.end()) return std::nullopt;
    // To the front: gather() takes the first.
    auto pending = std::move(fact->second);
    facts_.erase(fact);
    facts_.emplace_hint(facts_.begin(), from_ns(INT64_MIN), std::move(pending));
    return Choice{Choice::What::Fact, log_time_, nullptr, true};
}

void Shell::gather() {
    gather_outgoing();
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
                take_pending(std::move(pending), choice->overdue);
                break;
            }
            case Choice::What::Change: {
                auto pending = std::move(changes_.front());
                changes_.pop_front();
                take_pending(std::move(pending), choice->overdue);
                break;
            }
        }
    }
    taken_ = 0;
    // Once for all of them: each telling takes the feed's lock.
    for (auto& stream : streams_)
        if (const auto untold = std::exchange(stream->untold, 0); untold > 0 && stream->feed != nullptr)
            stream->feed->taken(stream->name, untold);
}

void Shell::add_without(Input& input) const {
    for (const auto& stream : streams_)
        if (!stream->absent && (!stream->live() || left_out(*stream))) input.without.push_back(stream->name);
}

void Shell::take_pending(Pending pending, bool overdue) {
    const auto time = overdue ? log_time_ : pending.time;
    const auto audits = batch_.audits.size();
    const auto asked = pending.time;
    if (const auto* fact = std::get_if<RunFactInput>(&pending.what); fact != nullptr && made_already(*fact))
        return;
    if (waits_for_settlement(pending)) return;
    if (pending.letter) {
        take_letter(std::move(pending), time);
    } else if (const auto* accepted = std::get_if<AcceptGapInput>(&pending.what)) {
        const auto kept = *accepted;
        // What was read before the gap comes before it, also where it still waited for other streams.
        if (auto* stream = find_stream(kept.stream))
            while (!stream->buffer.empty() && !fatal_)
                take_arrival(*stream);
        if (fatal_) return;
        const auto seq = next_seq_;
        take(time, std::move(pending.what), std::move(pending.done));
        gap_accepted(kept, seq);
    } else {
        take(time, std::move(pending.what), std::move(pending.done));
    }
    // What a person did is dated by when it was asked for, wherever the log stands.
    for (auto i = audits; i < batch_.audits.size(); ++i)
        batch_.audits[i].time = std::max(batch_.audits[i].time, asked);
}

void Shell::take(Instant time, decltype(Input::what) what, Done done) {
    Input input;
    input.time = std::max(time, log_time_);
    add_without(input);
    input.what = std::move(what);
    step(std::move(input), std::move(done));
}

void Shell::take_arrival(Stream& stream) {
    auto arrival = std::move(stream.buffer.front());
    stream.buffer.pop_front();
    ++stream.untold;
    ++counters_.arrivals;
    stream.moved = true;
    stream.known.position = stream.buffer.empty() ? stream.read : arrival.position;
    stream.known.event = arrival.position;
    stream.known.time = arrival.time;
    if (arrival.poison) return bury(stream, arrival);

    triggers::EventView view(arrival.event);
    match_.hits.clear();
    core_->meet(view, match_);
    const bool met = match_.pattern_met;
    if (met && !arrival.data_checked)
        if (auto read = events::read_data(arrival.event, config_.events); !read.ok()) {
            arrival.poison = std::make_shared<const events::Poison>(
                events::make_poison(read.error().message, events::raw_message(arrival.event)));
            return bury(stream, arrival);
        }
    if (!met) {
        count_arrival(arrival.event, arrival.time, stream.no);
        stream.last.reset();
        stream.passed = std::move(arrival.event);
        return;
    }
    stream.passed.reset();
    stream.last = std::make_shared<const events::Event>(std::move(arrival.event));

    Input input;
    input.time = std::max(arrival.time, log_time_);
    input.late_by = input.time - arrival.time;
    ArrivalInput what;
    what.stream = stream.no;
    what.stream_name = stream.name;
    what.incarnation = stream.incarnation;
    what.position = arrival.position;
    what.event = stream.last;
    what.digest = events::digest_of(*what.event);
    what.echo = own_source(*what.event);
    counters_.echoes += what.echo ? 1 : 0;
    if (const auto status = find_duplicate(what, input.time); !status.ok()) return give_up(status.error());
    add_without(input);
    input.what = std::move(what);
    step(std::move(input), {});
}

/// Only weir's own events carry this source: on an outside bus they come back.
bool Shell::own_source(const events::Event& event) const {
    return event.source.starts_with("/weir/" + instance_ + "/");
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
    const auto outgoing_before = batch_.outgoing.size();
    auto result = core_->step(std::move(input), next_seq_, context, batch_);
    for (auto i = runs_before; i < batch_.runs.size(); ++i)
        fresh_.emplace(batch_.runs[i].no, Fresh{ports_.clock.now(), false, false, 0});
    number_outgoing(outgoing_before);
    if (result.recorded) {
        ++next_seq_.value;
        log_time_ = time;
    }
    if (done) done_.push_back({std::move(done), {result.refused, result.run, result.recorded}});
    for (auto& act : result.acts)
        acts_.push_back(std::move(act));
    for (auto& followup : result.followups) {
        Input next;
        next.time = time;
        next.what = std::move(followup);
        step(std::move(next), {});
    }
}

void Shell::count_arrival(const events::Event& event, Instant time, ledger::StreamNo no) {
    const std::int64_t minute = to_ns(time) / 60'000'000'000;
    // What comes in numbers is mostly alike: the newest rows first.
    for (auto row = batch_.uncounted.rbegin(); row != batch_.uncounted.rend(); ++row) {
        if (row->minute != minute || row->stream != no || row->type != event.type ||
            row->source != event.source)
            continue;
        ++row->count;
        return;
    }
    batch_.uncounted.push_back({minute, no, event.type, event.source, 1});
}

void Shell::note_positions() {
    for (const auto& stream : streams_) {
        if (!stream->moved) continue;
        if (const auto event = std::exchange(stream->last, nullptr))
            stream->known.digest = events::place_digest(*event);
        else if (const auto passed = std::exchange(stream->passed, std::nullopt))
            stream->known.digest = events::place_digest(*passed);
        const auto& known = stream->known;
        batch_.positions.push_back({stream->no, known.position, known.time, known.event, known.digest});
    }
}

void Shell::note_watched() {
    for (auto& [place, until] : std::exchange(watched_, {}))
        batch_.watched.push_back({place.first, place.second, until});
}

} // namespace weir::engine
