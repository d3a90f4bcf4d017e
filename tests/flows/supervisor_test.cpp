#include <weir/flows/local/supervisor.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/catch.hpp>

#include "folder.hpp"

using namespace weir;
using namespace weir::flows::local;

namespace {

SpawnRequest shell(const test::Folder& folder, std::uint64_t id, const std::string& script) {
    SpawnRequest request;
    request.id = id;
    request.file = "/bin/sh";
    request.argv = {"sh", "-c", script};
    request.env = {"PATH=/usr/bin:/bin", "MARK=" + folder.path().string()};
    request.cwd = folder.path().string();
    request.log_path = (folder.path() / (std::to_string(id) + ".log")).string();
    return request;
}

/// Waits for the next end; gives up after a minute.
ProcessEnd next(Supervisor& supervisor) {
    for (;;) {
        pollfd ready{supervisor.fd(), POLLIN, 0};
        REQUIRE(::poll(&ready, 1, 60'000) == 1);
        auto ends = supervisor.receive();
        REQUIRE(ends.ok());
        if (!ends->empty()) {
            REQUIRE(ends->size() == 1);
            return ends->front();
        }
    }
}

/// How many living processes have `mark` in their environment.
int marked(const std::string& mark) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::error_code error;
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream file(entry.path() / "environ", std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        if (text.str().find(mark) != std::string::npos) ++count;
    }
    return count;
}

/// Waits until a file is there: what the scripts below use to say that they are under way.
void wait_for(const std::filesystem::path& path) {
    for (int i = 0; i < 6'000 && !std::filesystem::exists(path); ++i)
        ::poll(nullptr, 0, 10);
    REQUIRE(std::filesystem::exists(path));
}

} // namespace

TEST_CASE("a task runs with its own environment, folder and log", "[supervisor]") {
    test::Folder folder;
    auto supervisor = Supervisor::start();
    REQUIRE(supervisor.ok());
    REQUIRE(supervisor->spawn(shell(folder, 1, "pwd; echo $MARK; echo ${HOME-none} >&2; cat; exit 3")).ok());
    const ProcessEnd end = next(*supervisor);
    CHECK(end.id == 1);
    CHECK(end.spawned);
    CHECK(end.exit_code == 3);
    CHECK(end.signal == 0);
    const std::string there = folder.path().string();
    CHECK(folder.read("1.log") == there + "\n" + there + "\nnone\n");
}

TEST_CASE("what cannot be started is said", "[supervisor]") {
    test::Folder folder;
    auto supervisor = Supervisor::start();
    REQUIRE(supervisor.ok());
    SpawnRequest request = shell(folder, 1, "true");
    SECTION("no such program") {
        request.file = "/nowhere/tool";
        REQUIRE(supervisor->spawn(request).ok());
        const ProcessEnd end = next(*supervisor);
        CHECK_FALSE(end.spawned);
        CHECK(end.error.find("/nowhere/tool") != std::string::npos);
    }
    SECTION("no such folder") {
        request.cwd = "/nowhere";
        REQUIRE(supervisor->spawn(request).ok());
        CHECK_FALSE(next(*supervisor).spawned);
    }
    SECTION("an argument that no command line holds") {
        request.argv.push_back(std::string(process_argument_bytes_max + 1, 'x'));
        CHECK(supervisor->spawn(request).error().kind == ErrorKind::Exhausted);
        request.argv.back() = std::string("a\0b", 3);
        CHECK(supervisor->spawn(request).error().kind == ErrorKind::Invalid);
    }
    SECTION("the largest argument goes through") {
        request.argv = {"sh", "-c", "printf %s \"$0\" | wc -c", std::string(process_argument_bytes_max, 'x')};
        REQUIRE(supervisor->spawn(request).ok());
        CHECK(next(*supervisor).exit_code == 0);
        CHECK(folder.read("1.log") == "131071\n");
    }
}

TEST_CASE("a log ends at its limit and the task goes on", "[supervisor]") {
    test::Folder folder;
    auto supervisor = Supervisor::start();
    REQUIRE(supervisor.ok());
    SpawnRequest request = shell(folder, 1, "head -c 1000000 /dev/zero | tr '\\0' x; exit 7");
    request.log_bytes_max = 1000;
    REQUIRE(supervisor->spawn(request).ok());
    const ProcessEnd end = next(*supervisor);
    CHECK(end.exit_code == 7);
    CHECK(end.log_cut);
    CHECK(folder.read("1.log").substr(0, 1001) == std::string(1000, 'x') + "\n");
    CHECK(folder.read("1.log").size() < 1200);
}

TEST_CASE("stop() ends a task that listens and one that does not", "[supervisor]") {
    test::Folder folder;
    auto supervisor = Supervisor::start();
    REQUIRE(supervisor.ok());
    SECTION("TERM is enough") {
        REQUIRE(supervisor->spawn(shell(folder, 1, "touch up; sleep 1000")).ok());
        wait_for(folder.path() / "up");
        REQUIRE(supervisor->stop(1, std::chrono::hours(1)).ok());
        const ProcessEnd end = next(*supervisor);
        CHECK(end.signal == SIGTERM);
        CHECK(end.stopped);
    }
    SECTION("KILL after the grace") {
        REQUIRE(
            supervisor->spawn(shell(folder, 1, "trap '' TERM; touch up; while :; do sleep 1000; done")).ok());
        wait_for(folder.path() / "up");
        REQUIRE(supervisor->stop(1, std::chrono::milliseconds(50)).ok());
        CHECK(next(*supervisor).signal == SIGKILL);
    }
    CHECK(marked("MARK=" + folder.path().string()) == 0);
}

TEST_CASE("a task's end is the end of what it started, daemons included", "[supervisor]") {
    test::Folder folder;
    auto supervisor = Supervisor::start();
    REQUIRE(supervisor.ok());
    REQUIRE(supervisor
                ->spawn(shell(folder, 1,
                              "sleep 1000 & setsid sh -c 'touch up; sleep 1000' & "
                              "while ! [ -e up ]; do sleep 0.01; done; exit 0"))
                .ok());
    CHECK(next(*supervisor).exit_code == 0);
    CHECK(marked("MARK=" + folder.path().string()) == 0);
}

TEST_CASE("a daemon's children end with the task, while another task goes on", "[supervisor]") {
    test::Folder folder;
    auto supervisor = Supervisor::start();
    REQUIRE(supervisor.ok());
    test::Folder other;
    REQUIRE(supervisor->spawn(shell(other, 2, "sleep 1000")).ok());
    // Each generation is adopted only when the one before it is dead.
    REQUIRE(
        supervisor
            ->spawn(shell(folder, 1,
                          "setsid sh -c 'sh -c \"sh -c \\\"touch up; sleep 1000; true\\\"; true\"; true' & "
                          "while ! [ -e up ]; do sleep 0.01; done; exit 0"))
            .ok());
    CHECK(next(*supervisor).id == 1);
    for (int i = 0; i < 500 && marked("MARK=" + folder.path().string()) != 0; ++i)
        ::poll(nullptr, 0, 10);
    CHECK(marked("MARK=" + folder.path().string()) == 0);
    CHECK(marked("MARK=" + other.path().string()) > 0);
    REQUIRE(supervisor->stop(2, Duration::zero()).ok());
    CHECK(next(*supervisor).id == 2);
}

TEST_CASE("nothing outlives a killed weir, and its lock comes free only then", "[supervisor]") {
    test::Folder folder;
    const std::filesystem::path lock_path = folder.path() / "lock";
    const pid_t weir = ::fork();
    REQUIRE(weir >= 0);
    if (weir == 0) {
        auto supervisor = Supervisor::start();
        const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (::flock(lock, LOCK_EX) != 0 || !supervisor.ok() || !supervisor->hold(lock).ok()) ::_exit(1);
        // A plain child, a child that ignores what it can, and a daemon of a daemon.
        const char* script =
            "sleep 1000 & (trap '' TERM HUP INT; setsid setsid sh -c 'touch daemon; while :; do sleep 1000; "
            "done') & "
            "setsid sh -c 'setsid sleep 1000 & touch up; exit 0'; while :; do sleep 1000; done";
        for (std::uint64_t id = 1; id <= 3; ++id)
            if (!supervisor->spawn(shell(folder, id, script)).ok()) ::_exit(1);
        for (;;)
            ::pause();
    }
    wait_for(folder.path() / "up");
    wait_for(folder.path() / "daemon");
    CHECK(marked("MARK=" + folder.path().string()) > 3);
    ::kill(weir, SIGKILL);
    ::waitpid(weir, nullptr, 0);
    const int lock = ::open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(lock >= 0);
    REQUIRE(::flock(lock, LOCK_EX) == 0); // waits for the supervisor's end
    CHECK(marked("MARK=" + folder.path().string()) == 0);
    ::close(lock);
}

TEST_CASE("the end of a Supervisor ends its tasks", "[supervisor]") {
    test::Folder folder;
    {
        auto supervisor = Supervisor::start();
        REQUIRE(supervisor.ok());
        REQUIRE(supervisor->spawn(shell(folder, 1, "touch up; sleep 1000")).ok());
        wait_for(folder.path() / "up");
    }
    CHECK(marked("MARK=" + folder.path().string()) == 0);
}

TEST_CASE("a killed supervisor is noticed and leaves no task", "[supervisor]") {
    test::Folder folder;
    auto supervisor = Supervisor::start();
    REQUIRE(supervisor.ok());
    REQUIRE(supervisor->spawn(shell(folder, 1, "setsid sleep 1000 & touch up; sleep 1000")).ok());
    wait_for(folder.path() / "up");
    ::kill(supervisor->pid(), SIGKILL);
    pollfd ready{supervisor->fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 60'000) == 1);
    CHECK(supervisor->receive().error().kind == ErrorKind::Unavailable);
    CHECK_FALSE(supervisor->alive());
    CHECK(supervisor->spawn(shell(folder, 2, "true")).error().kind == ErrorKind::Unavailable);
    kill_marked("MARK=" + folder.path().string());
    CHECK(marked("MARK=" + folder.path().string()) == 0);
}
