#include "sqlite/identity.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace weir::ledger::sqlite {

namespace {

constexpr std::int64_t day_ns = 24LL * 3600 * 1'000'000'000;
constexpr std::int64_t hash_mask = (std::int64_t{1} << 43) - 1;
constexpr std::int64_t source_mask = (std::int64_t{1} << 15) - 1;
constexpr std::size_t keys_first_layer = 1024;
constexpr std::size_t keys_layer_max = 4u << 20;
constexpr std::size_t keys_per_block = 32; // 512 bits each: 16 bits a key
constexpr int probes = 7;

} // namespace

std::int64_t day_of(Instant time) noexcept {
    return std::max<std::int64_t>(to_ns(time), 0) / day_ns;
}

struct IdentityHash::State {
    EVP_MAC* mac = nullptr;
    EVP_MAC_CTX* context = nullptr;
    std::string key;
    ~State() {
        EVP_MAC_CTX_free(context);
        EVP_MAC_free(mac);
    }
};

IdentityHash::IdentityHash(std::string_view key) : state_(std::make_unique<State>()) {
    expects(key.size() >= 16, "the identity key has 16 bytes");
    state_->key = std::string(key.substr(0, 16));
    // Fetching walks the provider's tables: done once a process.
    static EVP_MAC* const sip = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
    expects(sip != nullptr, "the crypto library has SipHash");
    expects(EVP_MAC_up_ref(sip) == 1, "the crypto library shares SipHash");
    state_->mac = sip;
    state_->context = EVP_MAC_CTX_new(sip);
    std::size_t size = 8;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
    expects(state_->context != nullptr && EVP_MAC_CTX_set_params(state_->context, parameters) == 1,
            "SipHash takes its size");
}

IdentityHash::~IdentityHash() = default;

std::uint64_t IdentityHash::sip(std::string_view text) {
    unsigned char out[8] = {};
    std::size_t size = 0;
    const auto* key = reinterpret_cast<const unsigned char*>(state_->key.data());
    const auto* data = reinterpret_cast<const unsigned char*>(text.data());
    const bool ok = EVP_MAC_init(state_->context, key, 16, nullptr) == 1 &&
                    EVP_MAC_update(state_->context, data, text.size()) == 1 &&
                    EVP_MAC_final(state_->context, out, &size, sizeof out) == 1 && size == sizeof out;
    expects(ok, "SipHash failed");
    std::uint64_t value = 0;
    for (const auto byte : out)
        value = value << 8 | byte;
    return value;
}

std::int64_t IdentityHash::id_bits(std::string_view id) {
    return static_cast<std::int64_t>(sip(id) >> (64 - 28)) << 15;
}

std::int64_t IdentityHash::bits(std::string_view source, std::string_view id) {
    return id_bits(id) | (static_cast<std::int64_t>(sip(source)) & source_mask);
}

bool SeenFilter::test(const Layer& layer, std::uint64_t bits, bool set_them, Layer* target) {
    // The 43 bits are a good hash already; the product spreads them over 64.
    const std::uint64_t mixed = bits * 0x9e3779b97f4a7c15ULL ^ (bits >> 17);
    const std::uint64_t second = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9ULL;
    const std::size_t blocks = layer.words.size() / 8;
    const std::size_t base = static_cast<std::size_t>((mixed >> 32) * blocks >> 32) * 8;
    for (int i = 0; i < probes; ++i) {
        const auto bit = static_cast<std::size_t>(second >> (9 * i)) & 511;
        const std::uint64_t mask = std::uint64_t{1} << (bit & 63);
        if (set_them)
            target->words[base + bit / 64] |= mask;
        else if ((layer.words[base + bit / 64] & mask) == 0)
            return false;
    }
    return true;
}

void SeenFilter::grow(Day& day) {
    std::size_t keys = keys_first_layer;
    for (std::size_t i = 0; i < day.layers.size() && keys < keys_layer_max; ++i)
        keys *= 4;
    const std::size_t words = keys / keys_per_block * 8;
    if (bytes_ + words * 8 > bytes_max) {
        for (const auto& layer : day.layers)
            bytes_ -= layer.words.size() * 8;
        day.layers.clear();
        day.unfiltered = true;
        return;
    }
    bytes_ += words * 8;
    day.layers.push_back({std::vector<std::uint64_t>(words), keys});
}

void SeenFilter::drop_before(std::int64_t day) {
    while (!days_.empty() && days_.begin()->first < day) {
        for (const auto& layer : days_.begin()->second.layers)
            bytes_ -= layer.words.size() * 8;
        days_.erase(days_.begin());
    }
    filtered_from_ = std::max(filtered_from_, day);
}

void SeenFilter::add(std::int64_t key) {
    const auto day_number = key >> 43;
    if (day_number < filtered_from_) return;
    auto it = days_.find(day_number);
    if (it == days_.end()) {
        it = days_.try_emplace(day_number).first;
        // The window reaches into eight days; one more for arrivals that come late.
        drop_before(days_.rbegin()->first - 8);
        if (day_number < filtered_from_) return;
    }
    auto& day = it->second;
    if (day.unfiltered) return;
    if (day.layers.empty() || day.layers.back().left == 0) grow(day);
    if (day.unfiltered) return;
    auto& layer = day.layers.back();
    --layer.left;
    test(layer, static_cast<std::uint64_t>(key & hash_mask), true, &layer);
}

bool SeenFilter::maybe(std::int64_t key) const {
    const auto day_number = key >> 43;
    if (day_number < filtered_from_) return true;
    const auto it = days_.find(day_number);
    if (it == days_.end()) return false;
    if (it->second.unfiltered) return true;
    for (const auto& layer : it->second.layers)
        if (test(layer, static_cast<std::uint64_t>(key & hash_mask), false, nullptr)) return true;
    return false;
}

Status SeenFilter::load(Connection& connection, Instant now) {
    days_.clear();
    bytes_ = 0;
    filtered_from_ = std::max<std::int64_t>(day_of(now) - 8, 0);
    WEIR_ASSIGN(rows, connection.prepare("SELECT k FROM seen WHERE k >= ? ORDER BY k DESC LIMIT ?"));
    rows.bind(IdentityHash::key(filtered_from_, 0)).bind(load_max + 1);
    std::int64_t loaded = 0;
    while (true) {
        WEIR_ASSIGN(row, rows.step());
        if (!row) break;
        const auto key = rows.integer(0);
        if (++loaded > load_max) {
            // This day is known in part only, the ones before not at all.
            drop_before((key >> 43) + 1);
            break;
        }
        add(key);
    }
    return {};
}

} // namespace weir::ledger::sqlite
