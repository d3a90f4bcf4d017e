#include <weir/base/loop.hpp>

#include <atomic>
#include <thread>

#include <support/catch.hpp>
#include <weir/base/pool.hpp>

using namespace weir;

TEST_CASE("what is posted runs on the loop's thread, in order") {
    Loop loop;
    std::vector<int> seen;
    std::thread other([&] {
        for (int i = 0; i < 100; ++i)
            loop.post([&seen, i] { seen.push_back(i); });
        loop.post([&] { loop.stop(); });
    });
    while (loop.run_until(std::nullopt)) {
    }
    other.join();
    REQUIRE(seen.size() == 100);
    CHECK(seen.front() == 0);
    CHECK(seen.back() == 99);
    CHECK_FALSE(loop.post([] {}));
}

TEST_CASE("a full loop makes the poster wait, and loses nothing") {
    Loop loop(2);
    std::atomic<int> ran = 0;
    std::thread other([&] {
        for (int i = 0; i < 50; ++i)
            loop.post([&] { ++ran; });
        loop.stop();
    });
    while (loop.run_until(std::nullopt)) {
    }
    other.join();
    loop.run_ready();
    CHECK(ran == 50);
}

TEST_CASE("a pool runs what it took and refuses what it cannot hold") {
    std::atomic<int> ran = 0;
    int taken = 0;
    {
        Pool pool(2, 4);
        for (int i = 0; i < 100; ++i)
            if (pool.try_post([&] { ++ran; })) ++taken;
        pool.drain();
        CHECK_FALSE(pool.try_post([] {}));
    }
    CHECK(taken >= 4);
    CHECK(ran == taken);
}
