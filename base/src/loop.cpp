#include <weir/base/loop.hpp>

namespace weir {

bool Loop::post(std::function<void()> task) {
    std::unique_lock lock(mutex_);
    const bool own = owner_ == std::this_thread::get_id();
    room_.wait(lock, [&] { return stopped_ || own || tasks_.size() < queue_max_; });
    if (stopped_) return false;
    tasks_.push_back(std::move(task));
    changed_.notify_one();
    return true;
}

void Loop::wake() {
    std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
}

bool Loop::run_until(std::optional<SteadyInstant> deadline) {
    std::deque<std::function<void()>> batch;
    {
        std::unique_lock lock(mutex_);
        owner_ = std::this_thread::get_id();
        const auto ready = [&] { return stopped_ || woken_ || !tasks_.empty(); };
        if (deadline)
            changed_.wait_until(lock, *deadline, ready);
        else
            changed_.wait(lock, ready);
        woken_ = false;
        batch.swap(tasks_);
        if (stopped_ && batch.empty()) return false;
    }
    room_.notify_all();
    for (auto& task : batch)
        task();
    return true;
}

std::size_t Loop::run_ready() {
    std::deque<std::function<void()>> batch;
    {
        std::lock_guard lock(mutex_);
        owner_ = std::this_thread::get_id();
        batch.swap(tasks_);
    }
    room_.notify_all();
    for (auto& task : batch)
        task();
    return batch.size();
}

void Loop::stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
    room_.notify_all();
}

bool Loop::stopped() const {
    std::lock_guard lock(mutex_);
    return stopped_;
}

} // namespace weir
