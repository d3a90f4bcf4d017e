#include <weir/events/nats_bus.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "bus_parts.hpp"
#include "link.hpp"
#include "publisher.hpp"
#include "reader.hpp"
#include "subject.hpp"

namespace weir::events {
namespace {

using nats::Link;
using nats::Publisher;
using nats::StreamReader;

constexpr std::string_view process_safe_note =
    "a NATS server writes what it acknowledges to its files and has them synced every 2 minutes: the end of "
    "its "
    "process loses nothing, a loss of power may lose the last minutes";
constexpr std::string_view power_safe_note =
    "the configuration says that the server syncs before it acknowledges (sync_interval: always), or that "
    "replicas do "
    "not lose power together";
constexpr std::string_view operator_process_safe_note = "so said by the configuration";

class NatsBus final : public Bus {
  public:
    explicit NatsBus(NatsBusOptions options) : options_(std::move(options)) {}
    ~NatsBus() override { close(); }

    Status open() {
        WEIR_TRY(check_options());
        WEIR_ASSIGN(link, Link::make(options_, [this] { connection_changed(); }));
        link_ = std::move(link);
        publisher_ = std::make_unique<Publisher>(*link_, options_);
        for (const auto& stream : options_.streams)
            WEIR_TRY(add_stream(stream));
        keeper_ = std::thread([this] { keep(); });
        return {};
    }

    BusState state() const override {
        BusState out;
        out.name = options_.name;
        out.kind = "nats";
        out.connected = link_->up();
        out.detail = link_->detail();
        out.durability = durability();
        out.durability_note = out.durability == Durability::PowerSafe ? power_safe_note
                              : options_.durability                   ? operator_process_safe_note
                                                                      : process_safe_note;
        out.reconnects = link_->reconnects();
        return out;
    }

    bool remote() const override { return true; }

    Result<std::vector<StreamInfo>> streams() override {
        if (closed_.load()) return bus_closed();
        std::vector<StreamInfo> out;
        for (const auto& reader : readers_) {
            if (const auto status = reader->adopt(); !status.ok())
                return status.error().in("bus " + options_.name);
            auto info = reader->look();
            if (info.ok())
                out.push_back(std::move(info).value());
            else if (info.error().kind != ErrorKind::NotFound) // gone: whoever reads it finds it missing
                return info.error();
        }
        return out;
    }

    Result<StreamInfo> look(std::string_view stream) override {
        WEIR_ASSIGN(reader, find(stream));
        return reader->look();
    }

    Result<Reading> read(std::string_view stream, Position after, std::size_t events_max,
                         std::size_t bytes_max) override {
        WEIR_ASSIGN(reader, find(stream));
        return reader->read(after, std::max<std::size_t>(1, events_max), std::max<std::size_t>(1, bytes_max));
    }

    Result<Arrival> decode(std::string_view stream, const Message& message, Position position,
                           Instant time) override {
        WEIR_ASSIGN(reader, find(stream));
        return reader->decode(message, position, time);
    }
    Result<Arrival> at(std::string_view stream, Position position) override {
        WEIR_ASSIGN(reader, find(stream));
        return reader->at(position);
    }

    Result<Position> last_before(std::string_view stream, Instant time) override {
        WEIR_ASSIGN(reader, find(stream));
        return reader->last_before(time);
    }

    Result<std::vector<Position>> publish(std::string_view stream, std::span<const Event> events) override {
        WEIR_TRY(check_all(events, options_.limits));
        WEIR_ASSIGN(reader, find(stream.empty() ? std::string_view(publish_name_) : stream));
        return publisher_->publish(reader->options().stream, events);
    }

    void on_append(std::function<void()> called) override { handler_.set(std::move(called)); }

    Status release(std::string_view stream, Position) override {
        // The stream's own limits decide what is kept, and the server needs no positions of ours.
        WEIR_ASSIGN(reader, find(stream));
        static_cast<void>(reader);
        return {};
    }

    void close() override {
        if (closed_.exchange(true)) return;
        handler_.close();
        {
            std::lock_guard lock(mutex_);
            wake_.notify_all();
        }
        if (keeper_.joinable()) keeper_.join();
        if (!link_) return;
        for (const auto& reader : readers_)
            reader->close();
        publisher_->close();
        // The library's threads leave our objects first; a connection's end would free what they use.
        const auto left = [this] {
            bool all = publisher_->sweep();
            for (const auto& reader : readers_)
                all = reader->sweep() && all;
            return all;
        };
        std::unique_lock lock(mutex_);
        for (int i = 0; i < 500 && !left(); ++i)
            wake_.wait_for(lock, std::chrono::milliseconds(10), [] { return false; });
        lock.unlock();
        link_->close();
    }

  private:
    [[nodiscard]] Durability durability() const {
        return options_.durability.value_or(Durability::ProcessSafe);
    }

    Status check_options() const {
        const auto wrong = [this](const std::string& what) {
            return invalid("bus " + options_.name + ": " + what);
        };
        if (!valid_name(options_.name)) return wrong("its name is made of letters, digits and . _ -");
        if (options_.urls.empty()) return wrong("urls: give at least one, as nats://host:4222");
        if (options_.streams.empty()) return wrong("streams: give at least one");
        if (const auto fault = nats::subject_fault(options_.publish_subject, false); !fault.empty())
            return wrong("publish_subject: " + fault);
        if (options_.timeout < std::chrono::milliseconds(100)) return wrong("timeout: give 100ms or more");
        bool publish_known = options_.publish_stream.empty();
        for (std::size_t i = 0; i < options_.streams.size(); ++i) {
            const auto& one = options_.streams[i];
            const auto of = "stream \"" + printable(one.stream) + "\": ";
            if (const auto fault = nats::stream_name_fault(one.stream); !fault.empty())
                return wrong(of + fault);
            for (std::size_t k = 0; k < i; ++k)
                if (options_.streams[k].stream == one.stream) return wrong(of + "it is there twice");
            for (const auto& filter : one.subjects)
                if (const auto fault = nats::subject_fault(filter, true); !fault.empty())
                    return wrong(of + "subject \"" + printable(filter) + "\": " + fault);
            if (one.create) WEIR_TRY(check_create(*one.create, "bus " + options_.name + ": " + of));
            publish_known = publish_known || one.stream == options_.publish_stream;
        }
        if (!publish_known) return wrong("publish_stream: it is none of its streams");
        return {};
    }

    static Status check_create(const NatsStreamOptions::Create& create, const std::string& of) {
        if (create.subjects.empty()) return invalid(of + "create: give at least one subject");
        for (const auto& subject : create.subjects)
            if (const auto fault = nats::subject_fault(subject, true); !fault.empty())
                return invalid(of + "create: subject \"" + printable(subject) + "\": " + fault);
        if (create.replicas < 1 || create.replicas > 5) return invalid(of + "create: replicas are 1 to 5");
        if (create.duplicates < std::chrono::milliseconds(100))
            return invalid(of + "create: the window for duplicates is 100ms or more");
        if (create.age_max > Duration::zero() && create.age_max < create.duplicates)
            return invalid(of + "create: the window for duplicates is longer than events are kept");
        return {};
    }

    Status add_stream(const NatsStreamOptions& stream) {
        nats::StreamSettings settings;
        settings.bus = options_.name;
        settings.stream = stream.stream;
        settings.name = options_.name + "/" + stream.stream;
        settings.filters = stream.subjects;
        settings.limits = options_.limits;
        if (stream.mapping) {
            auto mapping = JsonMapping::compile(*stream.mapping);
            if (!mapping.ok())
                return mapping.error().in("bus " + options_.name + ": stream " + stream.stream);
            settings.mapping = std::move(mapping).value();
        }
        readers_.push_back(std::make_unique<StreamReader>(*link_, std::move(settings), stream, durability(),
                                                          [this] { handler_.call(); }));
        if (publish_name_.empty() || stream.stream == options_.publish_stream)
            publish_name_ = readers_.back()->name();
        return {};
    }

    Result<StreamReader*> find(std::string_view stream) const {
        if (closed_.load()) return bus_closed();
        std::string known;
        for (const auto& reader : readers_) {
            if (reader->name() == stream) return reader.get();
            known += (known.empty() ? "" : ", ") + reader->name();
        }
        return no_such_stream(stream, known);
    }

    void connection_changed() {
        publisher_->changed();
        handler_.call();
    }

    void keep() {
        while (!closed_.load()) {
            link_->keep();
            if (link_->up())
                for (const auto& reader : readers_) {
                    if (closed_.load()) return;
                    reader->check();
                }
            for (const auto& reader : readers_)
                reader->sweep();
            publisher_->sweep();
            std::unique_lock lock(mutex_);
            const auto pause = link_->up() ? std::chrono::milliseconds(1000) : std::chrono::milliseconds(250);
            wake_.wait_for(lock, pause, [this] { return closed_.load(); });
        }
    }

    const NatsBusOptions options_;
    AppendHandler handler_;
    std::unique_ptr<Link> link_;
    std::unique_ptr<Publisher> publisher_;
    std::vector<std::unique_ptr<StreamReader>> readers_;
    std::string publish_name_;
    std::atomic<bool> closed_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::thread keeper_;
};

} // namespace

Result<std::unique_ptr<Bus>> open_nats_bus(NatsBusOptions options) {
    auto bus = std::make_unique<NatsBus>(std::move(options));
    WEIR_TRY(bus->open());
    return std::unique_ptr<Bus>(std::move(bus));
}

} // namespace weir::events
