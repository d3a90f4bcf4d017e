#include "arrival.hpp"

#include <algorithm>
#include <cstdlib>

#include "binding_parts.hpp"
#include "subject.hpp"

namespace weir::events::nats {
namespace {

/// Headers where the library has them. Their order there is that of a hash table: here it is that of their
/// names, so that a message is always the same.
void read_headers(natsMsg* message, std::vector<HeaderView>& out) {
    out.clear();
    const char** keys = nullptr;
    int count = 0;
    if (natsMsgHeader_Keys(message, &keys, &count) != NATS_OK) return;
    for (int i = 0; i < count; ++i) {
        const char** values = nullptr;
        int many = 0;
        if (natsMsgHeader_Values(message, keys[i], &values, &many) != NATS_OK) continue;
        for (int k = 0; k < many; ++k)
            out.push_back({keys[i], values[k] == nullptr ? "" : values[k]});
        std::free(static_cast<void*>(values));
    }
    std::free(static_cast<void*>(keys));
    std::stable_sort(out.begin(), out.end(),
                     [](const HeaderView& a, const HeaderView& b) { return a.name < b.name; });
}

} // namespace

bool StreamSettings::wants(std::string_view subject) const {
    return filters.empty() ||
           std::any_of(filters.begin(), filters.end(),
                       [subject](const std::string& filter) { return subject_matches(filter, subject); });
}

Arrival arrival_of(natsMsg* message, Position position, Instant time, const StreamSettings& settings) {
    thread_local std::vector<HeaderView> headers;
    read_headers(message, headers);
    MessageView view;
    view.headers = headers;
    view.subject = natsMsg_GetSubject(message);
    view.body = {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))};
    DecodeContext context;
    context.mapping = settings.mapping ? &*settings.mapping : nullptr;
    context.place = {settings.bus, settings.stream, position.value, time};
    context.limits = settings.limits;
    Arrival arrival;
    arrival.position = position;
    arrival.time = time;
    auto decoded = decode_nats_view(view, context);
    if (decoded.ok()) {
        arrival.event = std::move(decoded->event);
        arrival.data_checked = decoded->data_checked;
    } else {
        arrival.poison =
            std::make_shared<const Poison>(make_poison(decoded.error().message, message_of(view)));
    }
    return arrival;
}

} // namespace weir::events::nats
