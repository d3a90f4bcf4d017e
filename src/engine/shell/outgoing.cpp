// What goes out on the outside bus: durable in the ledger first, then relayed (design, sections 4 and 7).

#include <algorithm>

#include <weir/base/log.hpp>
#include <weir/events/wire_codec.hpp>

#include "stream.hpp"

namespace weir::engine {

void Shell::open_outgoing(const ledger::Snapshot& snapshot) {
    next_outgoing_ = snapshot.next_outgoing;
    for (const auto& row : snapshot.outgoing) {
        outgoing_.emplace(row.no, row.body.size());
        outgoing_bytes_ += row.body.size();
    }
    if (ports_.outside == nullptr) {
        if (!outgoing_.empty())
            log::error("events wait for a bus that is not configured any more; they are kept",
                       {{"events", outgoing_.size()}});
        return;
    }
    const auto on_loop = [this, alive = alive_](auto work) {
        ports_.post([alive, work = std::move(work)]() mutable {
            if (*alive) work();
        });
    };
    Relay::Sink sink;
    sink.published = [this, on_loop](std::vector<ledger::OutgoingNo> numbers) {
        on_loop([this, numbers = std::move(numbers)] {
            published_.insert(published_.end(), numbers.begin(), numbers.end());
        });
    };
    sink.refused = [this, on_loop](ledger::OutgoingRow row, Error error) {
        on_loop([this, row = std::move(row), error = std::move(error)] { refused(row, error); });
    };
    relay_ = std::make_unique<Relay>(*ports_.outside, ports_.clock, std::move(sink));
    relay_->add(snapshot.outgoing);
    relay_->start();
}

void Shell::publish(std::vector<std::string> wires, Done done) {
    if (fatal_) return done({*fatal_, {}});
    expects(relay_ != nullptr, "events go out by way of the ledger only to an outside bus");
    std::size_t events = outgoing_.size() + wires.size(), bytes = outgoing_bytes_;
    for (const auto& wire : wires)
        bytes += wire.size();
    for (const auto& [waiting, waits] : accepted_) {
        events += waiting.size();
        for (const auto& wire : waiting)
            bytes += wire.size();
    }
    if (events > config_.outgoing_max || bytes > config_.outgoing_bytes_max) {
        const auto trouble = relay_->trouble();
        return done({unavailable(std::to_string(outgoing_.size()) + " events wait for the bus already" +
                                 (trouble.empty() ? std::string() : " (" + trouble + ")") +
                                 "; nothing was accepted, try again later"),
                     {}});
    }
    accepted_.push_back({std::move(wires), std::move(done)});
}

/// An event that its bus will never take is kept as a dead letter.
void Shell::refused(const ledger::OutgoingRow& row, const Error& error) {
    const auto event = events::decode_wire(row.body);
    expects(event.ok(), "an outgoing event does not decode");
    const auto poison =
        events::make_poison("the bus refused it: " + error.message, events::raw_message(*event));
    ledger::DeadLetterRow letter;
    letter.no = ledger::DeadLetterNo(next_letter_.value++);
    letter.time = ports_.clock.now();
    letter.reason = poison.reason;
    letter.message = events::encode_message(poison.message);
    letter.bytes = static_cast<std::int64_t>(poison.bytes);
    letter.cut = poison.cut;
    log::error("an event cannot be published and is kept: weir events --dead",
               {{"source", event->source}, {"id", event->id}, {"error", error.message}});
    ++counters_.dead_letters;
    refused_.push_back(std::move(letter));
    published_.push_back(row.no);
}

void Shell::gather_outgoing() {
    const auto before = batch_.outgoing.size();
    while (!accepted_.empty() && batch_.outgoing.size() < config_.batch_max) {
        auto [wires, done] = std::move(accepted_.front());
        accepted_.pop_front();
        for (auto& wire : wires)
            batch_.outgoing.push_back({{}, std::move(wire)});
        if (done) done_.push_back({std::move(done), {}});
    }
    number_outgoing(before);
    for (const auto no : std::exchange(published_, {})) {
        const auto found = outgoing_.find(no);
        if (found == outgoing_.end()) continue;
        outgoing_bytes_ -= found->second;
        outgoing_.erase(found);
        ++counters_.published;
        batch_.outgoing_done.push_back(no);
    }
    for (auto& letter : std::exchange(refused_, {}))
        batch_.dead_letters.push_back(std::move(letter));
    for (auto& gap : std::exchange(found_gaps_, {}))
        batch_.gaps.push_back(std::move(gap));
}

/// Everything from `before` on that goes out gets its number.
void Shell::number_outgoing(std::size_t before) {
    for (auto i = before; i < batch_.outgoing.size(); ++i) {
        auto& row = batch_.outgoing[i];
        row.no = ledger::OutgoingNo(next_outgoing_.value++);
        outgoing_.emplace(row.no, row.body.size());
        outgoing_bytes_ += row.body.size();
    }
}

std::string Shell::outgoing_trouble() const {
    if (relay_) return relay_->trouble();
    return outgoing_.empty() ? "" : "no outside bus is configured to which they could go";
}

void Shell::replay(const ledger::DeadLetterRow& letter, events::Arrival arrival, const std::string& principal,
                   const std::string& reason, Done done) {
    const auto* stream = find_stream(letter.stream_name);
    if (stream == nullptr)
        return done(
            {not_found("the stream \"" + letter.stream_name + "\" is not among this weir's any more"), {}});
    if (!arrival.data_checked)
        if (const auto read = events::read_data(arrival.event, config_.events); !read.ok())
            return done({read.error(), {}});
    ArrivalInput input;
    input.stream = stream->no;
    input.stream_name = stream->name;
    input.incarnation = stream->incarnation;
    input.position = letter.position;
    input.event = std::make_shared<const events::Event>(std::move(arrival.event));
    input.digest = events::digest_of(*input.event);
    input.echo = own_source(*input.event);
    Pending pending;
    pending.time = ports_.clock.now();
    pending.since = ports_.clock.steady_now();
    pending.what = std::move(input);
    pending.done = std::move(done);
    pending.letter = letter.no;
    pending.principal = principal;
    pending.reason = reason;
    changes_.push_back(std::move(pending));
}

void Shell::take_letter(Pending pending, Instant time) {
    auto arrival = std::get<ArrivalInput>(std::move(pending.what));
    triggers::EventView view(*arrival.event);
    core_->meet(view, match_);
    if (!match_.pattern_met) {
        done_.push_back({std::move(pending.done),
                         {conflict("it reads as an event now (type \"" + arrival.event->type +
                                   "\"), but no trigger's pattern is met by it: nothing was done"),
                          {}}});
        return;
    }
    time = std::max(time, log_time_);
    if (const auto status = find_duplicate(arrival, time); !status.ok()) return give_up(status.error());
    const auto seq = next_seq_;
    take(time, std::move(arrival), std::move(pending.done));
    const auto now = ports_.clock.now();
    batch_.dead_letters_replayed.push_back({*pending.letter, now, seq});
    batch_.audits.push_back({seq,
                             0,
                             pending.principal,
                             "replay",
                             "dead letter " + std::to_string(pending.letter->value),
                             pending.reason,
                             now,
                             {}});
}

} // namespace weir::engine
