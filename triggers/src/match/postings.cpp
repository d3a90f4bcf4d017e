#include "postings.hpp"

#include <algorithm>
#include <utility>

namespace weir::triggers::match {

void Postings::grow() {
    auto old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : slots_.size() * 2));
    for (const auto& slot : old)
        if (slot.state != State::Empty) slots_[position(slot.hash)] = slot;
}

bool Postings::add(std::uint64_t hash, EntryId entry) {
    if ((used_ + 1) * 3 > slots_.size() * 2) grow();
    auto& slot = slots_[position(hash)];
    if (slot.state == State::Empty) {
        slot = {hash, entry, State::One};
        ++used_;
        return true;
    }
    if (slot.state == State::One) {
        std::uint32_t list = 0;
        if (free_lists_.empty()) {
            list = static_cast<std::uint32_t>(lists_.size());
            lists_.emplace_back();
        } else {
            list = free_lists_.back();
            free_lists_.pop_back();
        }
        lists_[list].push_back(slot.value);
        slot.value = list;
        slot.state = State::List;
    }
    lists_[slot.value].push_back(entry);
    return false;
}

void Postings::remove(std::uint64_t hash, EntryId entry) {
    if (slots_.empty()) return;
    const auto at = position(hash);
    auto& slot = slots_[at];
    if (slot.state == State::List) {
        auto& list = lists_[slot.value];
        // What came last goes first more often than not.
        const auto found = std::find(list.rbegin(), list.rend(), entry);
        if (found != list.rend()) {
            *found = list.back();
            list.pop_back();
        }
        if (list.size() > 1) return;
        const auto last = list.front();
        free_lists_.push_back(slot.value);
        std::vector<EntryId>().swap(list);
        slot.value = last;
        slot.state = State::One;
    } else if (slot.state == State::One && slot.value == entry) {
        close_gap(at);
        --used_;
    }
}

/// Empties a slot and moves up those behind it that would not be found any more.
void Postings::close_gap(std::size_t at) {
    const auto mask = slots_.size() - 1;
    auto gap = at;
    for (auto next = (at + 1) & mask; slots_[next].state != State::Empty; next = (next + 1) & mask) {
        const auto home = static_cast<std::size_t>(slots_[next].hash) & mask;
        if (((next - home) & mask) < ((next - gap) & mask)) continue;
        slots_[gap] = slots_[next];
        gap = next;
    }
    slots_[gap] = Slot{};
}

std::size_t Postings::bytes() const {
    auto bytes = slots_.capacity() * sizeof(Slot) + lists_.capacity() * sizeof(std::vector<EntryId>);
    for (const auto& list : lists_)
        bytes += list.capacity() * sizeof(EntryId);
    return bytes;
}

} // namespace weir::triggers::match
