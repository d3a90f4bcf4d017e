#include <weir/events/folder_source.hpp>

#include <atomic>
#include <mutex>
#include <thread>

#include "watcher.hpp"

namespace weir::events {
namespace {

class FolderSource final : public Source {
  public:
    explicit FolderSource(std::unique_ptr<folder::Watcher> watcher) : watcher_(std::move(watcher)) {}
    ~FolderSource() override { stop(); }
    FolderSource(const FolderSource&) = delete;
    FolderSource& operator=(const FolderSource&) = delete;

    Status start(Sink sink) override {
        std::lock_guard lock(mutex_);
        if (started_) return conflict("a folder source is started once");
        if (!sink) return invalid("a source needs a sink");
        started_ = true;
        thread_ = std::thread([this, sink = std::move(sink)] {
            while (!stopping_.load())
                watcher_->round(sink, std::chrono::minutes(1));
        });
        return {};
    }

    void stop() override {
        std::lock_guard lock(mutex_);
        started_ = true;
        stopping_.store(true);
        watcher_->wake();
        if (thread_.joinable()) thread_.join();
        watcher_->close();
    }

    [[nodiscard]] SourceState state() const override { return watcher_->state(); }

  private:
    const std::unique_ptr<folder::Watcher> watcher_;
    std::mutex mutex_; // start() and stop() wait for each other
    std::atomic<bool> stopping_{false};
    bool started_ = false;
    std::thread thread_;
};

} // namespace

Result<std::unique_ptr<Source>> make_folder_source(FolderOptions options, const Clock& clock) {
    WEIR_ASSIGN(watcher, folder::Watcher::open(std::move(options), clock));
    return std::unique_ptr<Source>(std::make_unique<FolderSource>(std::move(watcher)));
}

} // namespace weir::events
