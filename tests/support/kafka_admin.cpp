// What tests in Python do to Kafka: `kafka-admin URL`. Commands are JSON lines on stdin, each is answered by
// a line on stdout: {"ok": true}, or {"ok": false, "error": "..."}. Ends when stdin does.
//
//   {"do": "make", "topic": T, "partitions": N, "settings": {NAME: TEXT}}
//   {"do": "remove", "topic": T}
//   {"do": "grow", "topic": T, "partitions": TOTAL}
//   {"do": "drop_before", "topic": T, "partition": P, "offset": N}      as retention does
//   {"do": "produce", "topic": T, "partition": P, "records": [{"headers": {NAME: TEXT}, "key": K, "body":
//   TEXT}]}
#include <chrono>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "kafka_client.hpp"

namespace {

using Json = nlohmann::json;
using weir::contract::KafkaClient;
using Texts = std::map<std::string, std::string>;

void produce(KafkaClient& client, const Json& request) {
    const auto topic = request.at("topic").get<std::string>();
    const auto partition = request.value("partition", 0);
    for (const auto& record : request.at("records")) {
        KafkaClient::Headers headers;
        for (const auto& [name, value] : record.value("headers", Texts()))
            headers.emplace_back(name, value);
        std::optional<std::string> body;
        if (record.contains("body")) body = record["body"].get<std::string>();
        client.produce(topic, partition, headers, body, record.value("key", "k"));
    }
    const auto failed = client.failed();
    client.flush();
    if (client.failed() != failed) throw std::runtime_error("records were not acknowledged");
}

/// A client knows how many partitions there were when it last asked.
void wait_grown(KafkaClient& client, const std::string& topic, std::size_t total) {
    auto* handle = rd_kafka_topic_new(client.handle(), topic.c_str(), nullptr);
    std::size_t there = 0;
    for (int i = 0; i < 300 && there < total; ++i) {
        const rd_kafka_metadata_t* answer = nullptr;
        if (rd_kafka_metadata(client.handle(), 0, handle, &answer, 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            there = answer->topic_cnt == 1 ? static_cast<std::size_t>(answer->topics[0].partition_cnt) : 0;
            rd_kafka_metadata_destroy(answer);
        }
        if (there < total) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    rd_kafka_topic_destroy(handle);
    if (there < total) throw std::runtime_error("the partitions of " + topic + " do not show up");
}

void grow(KafkaClient& client, const std::string& topic, std::size_t total) {
    client.add_partitions(topic, total);
    wait_grown(client, topic, total);
}

void carry_out(KafkaClient& client, const Json& request) {
    const auto what = request.at("do").get<std::string>();
    const auto topic = request.at("topic").get<std::string>();
    if (what == "make")
        client.make_topic(topic, request.value("partitions", 1), request.value("settings", Texts()));
    else if (what == "remove")
        client.remove_topic(topic);
    else if (what == "grow")
        grow(client, topic, request.at("partitions").get<std::size_t>());
    else if (what == "drop_before")
        client.drop_before(topic, request.at("partition").get<std::int32_t>(),
                           request.at("offset").get<std::int64_t>());
    else if (what == "produce")
        produce(client, request);
    else
        throw std::runtime_error("unknown command " + what);
}

} // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: kafka-admin URL\n";
        return 2;
    }
    try {
        const auto connected = [&] {
            return std::make_unique<KafkaClient>(arguments[1], Texts{{"message.max.bytes", "20000000"}});
        };
        auto client = connected();
        std::string line;
        while (std::getline(std::cin, line)) {
            Json answer{{"ok", true}};
            try {
                const auto request = Json::parse(line);
                carry_out(*client, request);
                // The library holds on to what a topic was, also when it is made anew.
                if (request.at("do") == "remove") client = connected();
            } catch (const std::exception& error) {
                answer = {{"ok", false}, {"error", error.what()}};
            }
            std::cout << answer.dump() << std::endl;
        }
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
    return 0;
}
