#include <weir/server/http_server.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <curl/curl.h>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::server;

namespace {

/// Answers with what it got; paths decide how.
Response echo(const Request& request) {
    Response response;
    response.headers.push_back({"Content-Type", "text/plain"});
    response.body = request.method + " " + request.target + " " + std::to_string(request.body.size());
    if (request.target == "/throw") throw std::runtime_error("on purpose");
    if (request.target == "/large") response.body.assign(3'000'000, 'x');
    return response;
}

Handler echo_handler(std::size_t body_bytes_max = 1000) {
    return {[body_bytes_max](const Request& head) {
                Admission admission{body_bytes_max, std::nullopt};
                if (head.target == "/no") admission.refusal = Response{403, {}, "refused"};
                return admission;
            },
            echo};
}

/// A TCP connection that says exactly what it is told.
class Wire {
  public:
    explicit Wire(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        const timeval limit{20, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    ~Wire() { ::close(socket_); }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    void say(std::string_view text) const {
        while (!text.empty()) {
            const auto sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// Reads until `mark` was seen or the other side closed.
    std::string hear(std::string_view mark) const {
        std::string heard;
        char piece[4096];
        while (heard.find(mark) == std::string::npos) {
            const auto got = ::recv(socket_, piece, sizeof piece, 0);
            if (got <= 0) break;
            heard.append(piece, static_cast<std::size_t>(got));
        }
        return heard;
    }
    std::string hear_all() const { return hear("\1 never \1"); }

  private:
    int socket_;
};

std::string get(std::string_view target, std::string_view more = {}) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::unique_ptr<HttpServer> serve(Handler handler, HttpLimits limits = {}) {
    auto server = HttpServer::start("127.0.0.1", 0, std::move(handler), limits);
    REQUIRE(server.ok());
    return std::move(*server);
}

} // namespace

TEST_CASE("a request is answered, and the next on the same connection") {
    const auto server = serve(echo_handler());
    const Wire wire(server->port());
    wire.say(get("/one"));
    const auto first = wire.hear("GET /one 0");
    CHECK(holds(first, "HTTP/1.1 200 OK\r\n"));
    CHECK(holds(first, "Content-Length: 10\r\n"));
    wire.say("POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(holds(wire.hear("POST /two 3"), "200 OK"));
    wire.say(
        "POST /three HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
    CHECK(holds(wire.hear("POST /three 5"), "200 OK"));
}

TEST_CASE("requests sent at once are answered in order") {
    const auto server = serve(echo_handler());
    const Wire wire(server->port());
    wire.say(get("/a") + get("/b") + get("/c", "Connection: close\r\n"));
    const auto heard = wire.hear_all();
    const auto a = heard.find("GET /a 0"), b = heard.find("GET /b 0"), c = heard.find("GET /c 0");
    CHECK(a < b);
    CHECK(b < c);
    CHECK(c != std::string::npos);
}

TEST_CASE("HEAD has the length and no body; HTTP/1.0 closes") {
    const auto server = serve(echo_handler());
    const Wire head(server->port());
    head.say("HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto heard = head.hear_all();
    CHECK(holds(heard, "Content-Length: 9\r\n"));
    CHECK(heard.ends_with("\r\n\r\n"));
    const Wire old(server->port());
    old.say("GET /x HTTP/1.0\r\n\r\n");
    CHECK(old.hear_all().ends_with("GET /x 0"));
}

TEST_CASE("who admits a request says how a body over the limit is answered") {
    auto handler = echo_handler(10);
    handler.admit = [](const Request&) {
        Admission admission;
        admission.body_bytes_max = 10;
        admission.too_large = [](std::string_view) { return Response{413, {}, "too much, in our words"}; };
        return admission;
    };
    const auto server = serve(std::move(handler));
    const Wire wire(server->port());
    wire.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world");
    CHECK(holds(wire.hear_all(), "too much, in our words"));
}

TEST_CASE("a body over the route's limit is 413, announced or not") {
    const auto server = serve(echo_handler(10));
    const Wire announced(server->port());
    announced.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world");
    CHECK(holds(announced.hear_all(), "HTTP/1.1 413 "));
    const Wire chunked(server->port());
    chunked.say(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\n8\r\nabcdefgh\r\n8\r\nabcdefgh\r\n0\r\n\r\n");
    CHECK(holds(chunked.hear_all(), "HTTP/1.1 413 "));
    const Wire fits(server->port());
    fits.say(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
        "chunked\r\n\r\n5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n");
    CHECK(holds(fits.hear_all(), "POST / 10"));
}

TEST_CASE("a refusal comes before the body is read") {
    const auto server = serve(echo_handler());
    const Wire wire(server->port());
    wire.say("POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
    const auto heard = wire.hear("refused");
    CHECK(holds(heard, "HTTP/1.1 403 "));
    CHECK(!holds(heard, "100 Continue"));
}

TEST_CASE("a client that asks is told to go on") {
    const auto server = serve(echo_handler());
    const Wire wire(server->port());
    wire.say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    CHECK(holds(wire.hear("\r\n\r\n"), "HTTP/1.1 100 Continue"));
    wire.say("ab");
    CHECK(holds(wire.hear("POST /x 2"), "200 OK"));
}

TEST_CASE("what is not HTTP is refused clearly") {
    const auto server = serve(echo_handler());
    const auto answer = [&](std::string_view text) {
        const Wire wire(server->port());
        wire.say(text);
        return wire.hear_all();
    };
    CHECK(holds(answer("\x16\x03\x01\x02 hello\r\n\r\n"), "400 "));
    CHECK(holds(answer("GET / HTTP/1.1\r\nbroken header\r\n\r\n"), "400 "));
    CHECK(holds(answer("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
                "400 "));
    CHECK(holds(answer("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n"), "400 "));
    CHECK(holds(answer("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(20'000, 'y') + "\r\n\r\n"),
                "431 "));
    CHECK(holds(answer("GET /" + std::string(20'000, 'y') + " HTTP/1.1\r\nHost: x\r\n\r\n"), "431 "));
}

TEST_CASE("a handler that throws is 500, and the server goes on") {
    const auto server = serve(echo_handler());
    const Wire wire(server->port());
    wire.say(get("/throw"));
    CHECK(holds(wire.hear("}\n"), "500 "));
    wire.say(get("/next"));
    CHECK(holds(wire.hear("GET /next 0"), "200 OK"));
    auto broken = echo_handler();
    broken.admit = [](const Request&) -> Admission { throw std::runtime_error("on purpose"); };
    const auto other = serve(broken);
    const Wire second(other->port());
    second.say(get("/x"));
    CHECK(holds(second.hear("}\n"), "500 "));
}

TEST_CASE("a large answer arrives whole") {
    const auto server = serve(echo_handler());
    const Wire wire(server->port());
    wire.say(get("/large", "Connection: close\r\n"));
    const auto heard = wire.hear_all();
    CHECK(heard.size() - heard.find("\r\n\r\n") - 4 == 3'000'000);
}

TEST_CASE("slow clients are cut off: idle, header, body") {
    HttpLimits limits;
    limits.idle_timeout = limits.header_timeout = limits.body_timeout = std::chrono::milliseconds(50);
    const auto server = serve(echo_handler(), limits);
    const std::string said =
        GENERATE(std::string(), std::string("GET / HT"),
                 std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"));
    const Wire wire(server->port());
    wire.say(said);
    CHECK(wire.hear_all().empty());
}

TEST_CASE("when all threads and the queue are full, the answer is 503 with Retry-After") {
    HttpLimits limits;
    limits.handler_threads = 1;
    limits.waiting_max = 1;
    std::promise<void> go;
    auto gate = go.get_future().share();
    std::atomic<int> started{0};
    std::promise<void> first_started;
    auto handler = echo_handler();
    handler.handle = [&](const Request& request) {
        if (started++ == 0) first_started.set_value();
        gate.wait();
        return echo(request);
    };
    const auto server = serve(handler, limits);
    const Wire running(server->port());
    running.say(get("/1"));
    first_started.get_future().wait();
    const Wire waiting(server->port());
    const Wire refused(server->port());
    // Which of the two gets the one place in the queue is open; exactly one does.
    waiting.say(get("/2", "Connection: close\r\n"));
    refused.say(get("/3", "Connection: close\r\n"));
    // A third one behind both proves that they were looked at: it is refused too.
    const Wire third(server->port());
    third.say(get("/4", "Connection: close\r\n"));
    const auto third_heard = third.hear_all();
    go.set_value();
    const auto a = waiting.hear_all(), b = refused.hear_all();
    int refusals = 0;
    for (const auto& heard : {a, b, third_heard}) {
        if (!holds(heard, "503 ")) continue;
        ++refusals;
        CHECK(holds(heard, "Retry-After: 1\r\n"));
    }
    CHECK(refusals == 2);
    CHECK(holds(running.hear("GET /1 0"), "200 OK"));
}

TEST_CASE("one connection too many is told so") {
    HttpLimits limits;
    limits.connections_max = 1;
    const auto server = serve(echo_handler(), limits);
    const Wire first(server->port());
    first.say(get("/1"));
    CHECK(holds(first.hear("GET /1 0"), "200 OK"));
    const Wire second(server->port());
    CHECK(holds(second.hear_all(), "503 "));
}

TEST_CASE("stopping lets what runs finish, ends idle connections and frees the port") {
    std::promise<void> started, go;
    auto gate = go.get_future().share();
    auto handler = echo_handler();
    handler.handle = [&](const Request& request) {
        if (request.target == "/slow") {
            started.set_value();
            gate.wait();
        }
        return echo(request);
    };
    auto server = serve(handler);
    const auto port = server->port();
    const Wire idle(port);
    idle.say(get("/1"));
    CHECK(holds(idle.hear("GET /1 0"), "200 OK"));
    const Wire busy(port);
    busy.say(get("/slow"));
    started.get_future().wait();
    std::thread stopper([&] { server->stop(); });
    CHECK(idle.hear_all().empty());
    go.set_value();
    const auto heard = busy.hear_all();
    CHECK(holds(heard, "GET /slow 0"));
    CHECK(holds(heard, "Connection: close"));
    stopper.join();
    server.reset();
    CHECK(HttpServer::start("127.0.0.1", port, echo_handler()).ok());
}

TEST_CASE("a port in use and an address that is not loopback are refused, saying what to do") {
    const auto server = serve(echo_handler());
    const auto again = HttpServer::start("127.0.0.1", server->port(), echo_handler());
    REQUIRE(!again.ok());
    CHECK(again.error().kind == ErrorKind::Conflict);
    CHECK(holds(again.error().message, std::to_string(server->port())));
    CHECK(holds(again.error().message, "--port"));
    for (const auto* address : {"0.0.0.0", "192.168.1.1", "::"}) {
        const auto open = HttpServer::start(address, 0, echo_handler());
        REQUIRE(!open.ok());
        CHECK(open.error().kind == ErrorKind::Denied);
        CHECK(holds(open.error().message, "beyond loopback, where nothing is served without tokens"));
    }
    CHECK(HttpServer::start("nonsense", 0, echo_handler()).error().kind == ErrorKind::Invalid);
    CHECK(HttpServer::start("localhost", 0, echo_handler()).ok());
}

TEST_CASE("many clients at once, by libcurl") {
    const auto server = serve(echo_handler());
    std::atomic<int> good{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i) {
        clients.emplace_back([&] {
            CURL* curl = curl_easy_init();
            const auto url = "http://127.0.0.1:" + std::to_string(server->port()) + "/x";
            curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
            curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
            curl_easy_setopt(
                curl, CURLOPT_WRITEFUNCTION,
                +[](char*, std::size_t size, std::size_t n, void*) -> std::size_t { return size * n; });
            for (int n = 0; n < 50; ++n) {
                long status = 0;
                if (curl_easy_perform(curl) == CURLE_OK)
                    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
                good += status == 200 ? 1 : 0;
            }
            curl_easy_cleanup(curl);
        });
    }
    for (auto& client : clients)
        client.join();
    CHECK(good == 400);
}
