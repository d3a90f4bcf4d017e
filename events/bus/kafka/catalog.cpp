#include "catalog.hpp"

#include <algorithm>
#include <charconv>

#include <weir/base/clock.hpp>
#include <weir/base/log.hpp>

namespace weir::events::kafka {
namespace {

/// One question of this thread: close() waits no longer than this.
constexpr Duration question_max = std::chrono::seconds(2);
constexpr Duration pause = std::chrono::milliseconds(500); ///< between looks while nobody answers
constexpr Duration hint_pause = std::chrono::seconds(1);

template <class Number>
Number number_of(const std::map<std::string, std::string>& settings, const char* name, Number otherwise) {
    const auto found = settings.find(name);
    if (found == settings.end()) return otherwise;
    Number value = otherwise;
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
    return value;
}

} // namespace

Durability durability_of(const KafkaBusOptions& options, const TopicState& topic) {
    if (options.durability) return *options.durability;
    return topic.settings_known && topic.replication >= 3 && topic.insync_min >= 2 ? Durability::PowerSafe
                                                                                   : Durability::ProcessSafe;
}

Catalog::Catalog(const KafkaBusOptions& options, Probe& probe, std::function<void()> news)
    : options_(options),
      question_(std::min<Duration>(options.timeout, question_max)),
      probe_(probe),
      news_(std::move(news)) {
    for (const auto& topic : options_.topics) {
        names_.push_back(topic.topic);
        topics_[topic.topic].options = &topic;
    }
    link_.detail = "no broker was reached yet";
    thread_ = std::thread([this] { run(); });
}

Catalog::~Catalog() {
    close();
}

void Catalog::close() {
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

Status Catalog::ready(Duration timeout) {
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, timeout, [this] { return reached_ || closed_; });
        if (closed_) return unavailable("the bus is closed");
        if (reached_) return {};
    }
    return unavailable("bus \"" + options_.name + "\": " + link().detail);
}

Result<std::map<std::string, TopicState>> Catalog::fresh(Duration timeout) {
    WEIR_TRY(ready(timeout));
    const auto asked = ++asked_;
    WEIR_ASSIGN(facts, probe_.topics(names_, timeout));
    if (merge(facts, asked)) look_soon();
    return known();
}

std::map<std::string, TopicState> Catalog::known() const {
    std::lock_guard lock(mutex_);
    return topics_;
}

std::optional<TopicState> Catalog::known(const std::string& topic) const {
    std::lock_guard lock(mutex_);
    const auto found = topics_.find(topic);
    return found == topics_.end() ? std::nullopt : std::optional(found->second);
}

std::string Catalog::cluster() const {
    std::lock_guard lock(mutex_);
    return cluster_;
}

Catalog::Link Catalog::link() const {
    const auto failure = probe_.signals()->failure();
    std::lock_guard lock(mutex_);
    auto link = link_;
    if (!link.connected && !failure.empty()) link.detail += " (" + failure + ")";
    if (link.connected)
        for (const auto& [name, topic] : topics_)
            if (!topic.exists)
                link.detail += "; topic \"" + name +
                               "\": " + (topic.problem.empty() ? "it does not exist" : topic.problem);
    return link;
}

bool Catalog::connected() const {
    std::lock_guard lock(mutex_);
    return link_.connected;
}

bool Catalog::there(const Place& place) const {
    std::lock_guard lock(mutex_);
    const auto found = topics_.find(place.topic);
    return found != topics_.end() && found->second.exists && place.partition < found->second.partitions;
}

void Catalog::look_soon() {
    {
        std::lock_guard lock(mutex_);
        soon_ = true;
    }
    changed_.notify_all();
}

void Catalog::hint(const Place& place, std::int64_t offset) {
    std::lock_guard lock(mutex_);
    hints_[place] = offset;
}

void Catalog::run() {
    const SystemClock clock; // a network's time is not simulated
    auto looked = clock.steady_now();
    auto committed = looked;
    look();
    while (true) {
        bool due = false;
        {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, pause, [this] { return closed_ || soon_; });
            if (closed_) break;
            const bool missing = std::any_of(topics_.begin(), topics_.end(),
                                             [](const auto& one) { return !one.second.exists; });
            due = soon_ || missing || !link_.connected || clock.steady_now() - looked >= options_.refresh;
            soon_ = false;
        }
        probe_.poll();
        if (due) {
            look();
            looked = clock.steady_now();
        }
        if (clock.steady_now() - committed >= hint_pause) {
            commit_hints();
            committed = clock.steady_now();
        }
    }
    commit_hints();
}

/// Sees what there is now, and whether anybody answers.
void Catalog::look() {
    auto asked = ++asked_;
    auto facts = probe_.topics(names_, question_);
    if (!facts.ok()) {
        std::lock_guard lock(mutex_);
        link_.connected = false;
        link_.detail = facts.error().message;
        return;
    }
    bool changed = merge(*facts, asked);
    if (cluster().empty()) {
        auto id = probe_.cluster_id(question_);
        std::lock_guard lock(mutex_);
        cluster_ = id.ok() ? *id : cluster_;
        if (!id.ok()) {
            link_.detail = id.error().message;
            return; // names of incarnations need it
        }
    }
    if (const auto made = make_missing(); made.ok()) {
        asked = ++asked_;
        if (facts = probe_.topics(names_, question_); facts.ok()) changed = merge(*facts, asked) || changed;
    }
    learn_settings();
    {
        std::lock_guard lock(mutex_);
        if (!link_.connected && reached_) ++link_.reconnects;
        link_.connected = true;
        std::string brokers;
        for (const auto& broker : options_.brokers)
            brokers += (brokers.empty() ? "" : ",") + broker;
        link_.detail = "brokers " + brokers + ", cluster " + cluster_;
        reached_ = true;
    }
    changed_.notify_all();
    if (changed) news_();
}

/// True: a topic or a partition is new, or a topic gone. An answer that was overtaken by that to a later
/// question counts no more: it may not know a topic that was made in between.
bool Catalog::merge(const std::map<std::string, TopicFacts>& facts, std::uint64_t asked) {
    std::lock_guard lock(mutex_);
    if (asked < merged_) return false;
    merged_ = asked;
    bool changed = false;
    for (auto& [name, topic] : topics_) {
        const auto found = facts.find(name);
        if (found == facts.end()) {
            changed = changed || topic.exists;
            topic.exists = false;
            topic.settings_known = false;
            continue;
        }
        changed = changed || !topic.exists || found->second.partitions > topic.partitions;
        topic.exists = true;
        topic.problem.clear();
        topic.partitions = found->second.partitions;
        topic.replication = found->second.replication;
        if (topic.partitions_at_first == 0) topic.partitions_at_first = topic.partitions;
    }
    return changed;
}

/// Fails if nothing was made.
Status Catalog::make_missing() {
    Status outcome = not_found("nothing to make");
    for (const auto& [name, topic] : known()) {
        if (topic.exists || !topic.options->create) continue;
        auto settings = topic.options->create->settings;
        settings.emplace("max.message.bytes", std::to_string(record_bytes_max(options_) + 1024));
        const auto made = probe_.create(*topic.options, settings, question_);
        std::lock_guard lock(mutex_);
        topics_[name].problem = made.ok() ? std::string() : made.error().message;
        if (made.ok()) outcome = {};
    }
    return outcome;
}

void Catalog::learn_settings() {
    for (const auto& [name, topic] : known()) {
        if (!topic.exists) continue;
        const auto settings = probe_.settings(name, question_);
        if (!settings.ok()) {
            if (!topic.settings_known)
                log::info("the settings of a topic are not known",
                          {{"bus", options_.name}, {"topic", name}, {"error", settings.error().message}});
            continue;
        }
        const auto policy = settings->find("cleanup.policy");
        std::lock_guard lock(mutex_);
        auto& state = topics_[name];
        state.settings_known = true;
        state.removes = policy != settings->end() && policy->second.find("compact") != std::string::npos;
        state.insync_min = number_of(*settings, "min.insync.replicas", 1);
        state.record_bytes_max = number_of<std::size_t>(*settings, "max.message.bytes", 0);
    }
}

void Catalog::commit_hints() {
    std::map<Place, std::int64_t> hints;
    {
        std::lock_guard lock(mutex_);
        hints.swap(hints_);
    }
    if (!hints.empty()) probe_.commit(hints);
}

} // namespace weir::events::kafka
