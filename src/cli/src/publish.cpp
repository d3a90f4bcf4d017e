#include <fstream>
#include <istream>

#include <weir/base/digest.hpp>
#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cli/cli.hpp>
#include <weir/events/json_codec.hpp>

#include "commands.hpp"
#include "publish_lines.hpp"
#include "standard_input.hpp"

namespace weir::cli {
namespace {

constexpr std::size_t batch_events_max = 1000;
constexpr std::size_t batch_bytes_max = 4 * 1024 * 1024;
constexpr int tries_max = 10;

/// Sends one batch. Every event has its id by now, so trying again cannot double anything. A server that was
/// there before (`known`) may be starting again; one that never answered is not waited for.
Status send(const Environment& environment, Client& client, const std::vector<events::Event>& batch,
            bool known) {
    const auto body = events::encode_json_batch(batch);
    for (int tried = 1;; ++tried) {
        auto reply = client.post("/v1/events", body, "application/cloudevents-batch+json");
        if (reply.ok()) return {};
        known = known || client.connected();
        const bool again = known && tried < tries_max && reply.error().kind == ErrorKind::Unavailable;
        if (!again) return reply.error();
        if (environment.interrupt.wait(std::chrono::seconds(1)))
            return Error(ErrorKind::Cancelled, "stopped");
    }
}

/// The digest of a whole file; every line of it was found good. So a bad line is found before anything is
/// sent.
Result<Digest> digest_of_good(const Environment& environment, const PublishOptions& options,
                              std::uint64_t& size) {
    std::ifstream file(options.file, std::ios::binary);
    if (!file) return not_found("cannot read " + printable(options.file, 400));
    // Digests of pieces, digested: the whole need not be in memory.
    std::string pieces;
    char piece[1 << 16];
    while (file.read(piece, sizeof piece), file.gcount() > 0) {
        const auto digest = sha256(std::string_view(piece, static_cast<std::size_t>(file.gcount())));
        pieces.append(reinterpret_cast<const char*>(digest.data()), digest.size());
        size += static_cast<std::uint64_t>(file.gcount());
    }
    const auto base = sha256(pieces);
    file.clear();
    file.seekg(0);
    EventLines lines(file, printable(options.file, 400), options, base);
    Progress progress(environment);
    while (true) {
        WEIR_ASSIGN(event, lines.next());
        if (!event) return base;
        if (environment.interrupt.requested())
            return Error(ErrorKind::Cancelled, "stopped; nothing was published");
        if (lines.line() % 1024 == 0)
            progress.show("checking " + options.file + ", line " + std::to_string(lines.line()));
    }
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? std::string() : " (" + std::to_string(part * 100 / whole) + "%)";
}

Result<int> publish_lines(const Environment& environment, Client& client, const PublishOptions& options) {
    const bool from_input = options.file == "-";
    StandardInput input_buffer;
    std::istream input(&input_buffer);
    Digest base = sha256(random_bytes(32));
    std::uint64_t size = 0;
    std::ifstream file;
    if (!from_input) {
        WEIR_ASSIGN(digest, digest_of_good(environment, options, size));
        base = digest;
        file.open(options.file, std::ios::binary);
    }
    EventLines lines(from_input ? input : file, from_input ? "standard input" : printable(options.file, 400),
                     options, base);
    Progress progress(environment);
    std::vector<events::Event> batch;
    std::size_t batch_bytes = 0;
    std::uint64_t accepted = 0;
    const auto told = [&](Error error) {
        error.message += "; " + std::to_string(accepted) + " events were accepted before that";
        if (!from_input) error.message += " (publish the same file again: what was accepted is not doubled)";
        return error;
    };
    while (true) {
        auto event = lines.next();
        if (!event.ok()) return told(event.error());
        const bool ended = !event->has_value();
        if (!ended) {
            batch_bytes += (*event)->data.size() + 512;
            batch.push_back(std::move(**event));
        }
        if (environment.interrupt.requested()) return told(Error(ErrorKind::Cancelled, "stopped"));
        const bool full = batch.size() >= batch_events_max || batch_bytes >= batch_bytes_max;
        // What comes down a pipe is passed on as soon as no more of it is there.
        const bool waiting = from_input && input_buffer.in_avail() <= 0;
        if (!batch.empty() && (ended || full || waiting)) {
            if (auto sent = send(environment, client, batch, accepted > 0); !sent.ok())
                return told(sent.error());
            accepted += batch.size();
            batch.clear();
            batch_bytes = 0;
            progress.show("published " + std::to_string(accepted) + " events" + percent(lines.bytes(), size));
        }
        if (ended) break;
    }
    progress.clear();
    print(options.json
              ? R"({"accepted":)" + std::to_string(accepted) + "}\n"
              : "published " + std::to_string(accepted) + (accepted == 1 ? " event\n" : " events\n"));
    return exit_done;
}

} // namespace

Result<int> publish(const Environment& environment, const PublishOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    if (!options.file.empty()) return publish_lines(environment, *client, options);
    WEIR_ASSIGN(event, single_event(options, to_hex(sha256(random_bytes(32))).substr(0, 32)));
    WEIR_TRY(send(environment, *client, {event}, false));
    if (options.json) {
        print(R"({"accepted":1,"source":)" + json_string(event.source) + R"(,"id":)" + json_string(event.id) +
              "}\n");
    } else {
        print("published " + printable(event.type) + " " + printable(event.id) + "\n");
    }
    return exit_done;
}

} // namespace weir::cli
