#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nats/nats.h>

// The bare client library, for what is done to a NATS server behind the adapter's back. Throws what goes
// wrong.
namespace weir {

class NatsClient {
  public:
    explicit NatsClient(const std::string& url) {
        must(natsConnection_ConnectTo(&connection_, url.c_str()), "connect");
        must(natsConnection_JetStream(&context_, connection_, nullptr), "JetStream");
    }
    ~NatsClient() {
        jsCtx_Destroy(context_);
        natsConnection_Destroy(connection_);
    }
    NatsClient(const NatsClient&) = delete;

    void make_stream(const std::string& name, const std::vector<std::string>& subjects,
                     void (*change)(jsStreamConfig&) = nullptr) {
        std::vector<const char*> texts;
        for (const auto& subject : subjects)
            texts.push_back(subject.c_str());
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        config.Name = name.c_str();
        config.Subjects = texts.data();
        config.SubjectsLen = static_cast<int>(texts.size());
        if (change != nullptr) change(config);
        jsErrCode code{};
        must(js_AddStream(nullptr, context_, &config, nullptr, &code), "add stream " + name);
    }
    void remove_stream(const std::string& name) {
        jsErrCode code{};
        must(js_DeleteStream(context_, name.c_str(), nullptr, &code), "delete stream " + name);
    }
    /// Removes everything before a sequence.
    void purge(const std::string& name, std::int64_t first) {
        jsOptions options;
        jsOptions_Init(&options);
        options.Stream.Purge.Sequence = static_cast<std::uint64_t>(first);
        jsErrCode code{};
        must(js_PurgeStream(context_, name.c_str(), &options, &code), "purge " + name);
    }
    void remove_message(const std::string& name, std::int64_t sequence) {
        jsErrCode code{};
        must(js_DeleteMsg(context_, name.c_str(), static_cast<std::uint64_t>(sequence), nullptr, &code),
             "delete message");
    }
    /// To JetStream; its sequence.
    std::int64_t publish(const std::string& subject,
                         const std::vector<std::pair<std::string, std::string>>& headers,
                         const std::string& body) {
        natsMsg* message = nullptr;
        must(natsMsg_Create(&message, subject.c_str(), nullptr, body.data(), static_cast<int>(body.size())),
             "message");
        for (const auto& [name, value] : headers)
            natsMsgHeader_Add(message, name.c_str(), value.c_str());
        jsPubAck* ack = nullptr;
        jsErrCode code{};
        const auto s = js_PublishMsg(&ack, context_, message, nullptr, &code);
        natsMsg_Destroy(message);
        must(s, "publish");
        const auto sequence = static_cast<std::int64_t>(ack->Sequence);
        jsPubAck_Destroy(ack);
        return sequence;
    }
    [[nodiscard]] natsConnection* connection() const { return connection_; }
    [[nodiscard]] jsCtx* context() const { return context_; }

  private:
    static void must(natsStatus status, const std::string& what) {
        if (status != NATS_OK) throw std::runtime_error(what + ": " + natsStatus_GetText(status));
    }
    natsConnection* connection_ = nullptr;
    jsCtx* context_ = nullptr;
};

} // namespace weir
