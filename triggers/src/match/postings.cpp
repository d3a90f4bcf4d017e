#include "postings.hpp"

#include <algorithm>
#include <utility>

namespace weir::triggers::match {

void Postings::grow() {
    const auto size = slots_.empty() ? std::size_t{16} : slots_.size() * 2;
    const auto old = std::exchange(slots_, std::vector<Slot>(size));
    const auto old_tags = std::exchange(tags_, std::vector<std::uint8_t>(size, empty));
    for (std::size_t i = 0; i < old.size(); ++i) {
        if (old_tags[i] == empty) continue;
        const auto at = position(old[i].hash);
        slots_[at] = old[i];
        tags_[at] = old_tags[i];
    }
}

bool Postings::add(std::uint64_t hash, EntryId entry) {
    if ((used_ + 1) * 3 > slots_.size() * 2) grow();
    const auto at = position(hash);
    auto& slot = slots_[at];
    auto& [first, second] = slot.values;
    if (tags_[at] == empty) {
        slot = {hash, {entry, none}};
        tags_[at] = tag_of(hash);
        ++used_;
        return true;
    }
    if (second == none) {
        second = entry;
        return false;
    }
    if (second != list_mark) {
        std::uint32_t list = 0;
        if (free_lists_.empty()) {
            list = static_cast<std::uint32_t>(lists_.size());
            lists_.emplace_back();
        } else {
            list = free_lists_.back();
            free_lists_.pop_back();
        }
        lists_[list] = {first, second};
        slot.values = {list, list_mark};
    }
    lists_[first].push_back(entry);
    return false;
}

void Postings::remove(std::uint64_t hash, EntryId entry) {
    if (slots_.empty()) return;
    const auto at = position(hash);
    if (tags_[at] == empty) return;
    auto& [first, second] = slots_[at].values;
    if (second == list_mark) {
        auto& list = lists_[first];
        // What came last goes first more often than not.
        const auto found = std::find(list.rbegin(), list.rend(), entry);
        if (found != list.rend()) {
            *found = list.back();
            list.pop_back();
        }
        if (list.size() > 2) return;
        free_lists_.push_back(first);
        const std::array<EntryId, 2> rest{list[0], list[1]};
        std::vector<EntryId>().swap(list);
        slots_[at].values = rest;
    } else if (second == entry) {
        second = none;
    } else if (first == entry && second != none) {
        first = std::exchange(second, none);
    } else if (first == entry) {
        close_gap(at);
        --used_;
    }
}

/// Empties a slot and moves up those behind it that would not be found any more.
void Postings::close_gap(std::size_t at) {
    const auto mask = slots_.size() - 1;
    auto gap = at;
    for (auto next = (at + 1) & mask; tags_[next] != empty; next = (next + 1) & mask) {
        const auto home = static_cast<std::size_t>(slots_[next].hash) & mask;
        if (((next - home) & mask) < ((next - gap) & mask)) continue;
        slots_[gap] = slots_[next];
        tags_[gap] = tags_[next];
        gap = next;
    }
    slots_[gap] = Slot{};
    tags_[gap] = empty;
}

std::size_t Postings::bytes() const {
    auto bytes = slots_.capacity() * (sizeof(Slot) + 1) + lists_.capacity() * sizeof(std::vector<EntryId>);
    for (const auto& list : lists_)
        bytes += list.capacity() * sizeof(EntryId);
    return bytes;
}

} // namespace weir::triggers::match
