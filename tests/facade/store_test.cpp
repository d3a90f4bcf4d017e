#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>
#include <support/catch.hpp>

#include <weir/facade/pipeline_store.hpp>

using namespace weir;
using namespace weir::facade;

namespace {

/// A folder that goes with the test.
struct Folder {
    std::string path =
        (std::filesystem::temp_directory_path() / ("weir-store-" + std::to_string(::getpid()))).string();
    Folder() {
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

VersionRecord version(const std::string& id, const std::string& name, std::int64_t at) {
    VersionRecord record;
    record.id = id;
    record.pipeline = "P";
    record.name = name;
    record.text = "text of " + id;
    record.created = from_ns(at);
    return record;
}

} // namespace

TEST_CASE("the pipeline store keeps what it was told") {
    const Folder folder;
    const auto path = folder.path + "/pipelines.db";
    auto opened = open_pipeline_store(path);
    REQUIRE(opened.ok());
    auto store = std::move(*opened);
    struct stat found {};
    REQUIRE(::stat(path.c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);

    PipelineRecord pipeline{"P", "train", "Train", "d", "ads", R"({"a":"b"})", from_ns(5)};
    REQUIRE(store->add_pipeline(pipeline, version("V1", "train", 5)).ok());
    CHECK(store->add_pipeline({"Q", "train", "", "", "", "{}", {}}).error().kind == ErrorKind::Conflict);

    SECTION("a pipeline whose version is refused is not there either") {
        CHECK(!store->add_pipeline({"R", "other", "", "", "", "{}", {}}, version("V1", "x", 1)).ok());
        CHECK(store->pipeline("R").error().kind == ErrorKind::NotFound);
    }
    SECTION("versions: by id, by name, the newest") {
        REQUIRE(store->add_version(version("V3", "c", 30)).ok());
        REQUIRE(store->add_version(version("V2", "b", 20)).ok());
        CHECK(store->add_version(version("V4", "b", 40)).error().kind == ErrorKind::Conflict);
        CHECK(store->latest_version("P")->id == "V3");
        CHECK(store->version_by_name("P", "b")->text == "text of V2");
        CHECK(store->versions("P")->size() == 3);
        CHECK(store->versions("P")->front().text.empty());
        REQUIRE(store->delete_version("V3").ok());
        CHECK(store->delete_version("V3").error().kind == ErrorKind::NotFound);
        CHECK(store->latest_version("P")->id == "V2");
    }
    SECTION("deleting a pipeline takes its versions along") {
        REQUIRE(store->delete_pipeline("P").ok());
        CHECK(!store->version("V1").ok());
        CHECK(!store->pipeline_by_name("train").ok());
    }
    SECTION("a run's id is its own whatever its case") {
        RunNote note;
        note.run = RunId{Uuid::parse("0199c5a0-0000-8000-8000-000000000001").value()};
        note.shown_id = "Run-A";
        note.spec_text = "spec";
        REQUIRE(store->note_run(note).ok());
        note.archived = true;
        REQUIRE(store->note_run(note).ok());
        CHECK(store->run_note_by_shown_id("rUN-a")->archived);
        CHECK(store->run_notes()->size() == 1);
        CHECK(store->run_notes()->front().spec_text.empty());
        note.run = RunId{Uuid::parse("0199c5a0-0000-8000-8000-000000000002").value()};
        note.shown_id = "run-a";
        CHECK(store->note_run(note).error().kind == ErrorKind::Conflict);
    }
}

TEST_CASE("the pipeline store is all there after a restart, and for one process alone") {
    const Folder folder;
    const auto path = folder.path + "/pipelines.db";
    auto store = std::move(*open_pipeline_store(path));
    PipelineRecord pipeline{"P", "train", "Train", "d", "ads", R"({"a":"b"})", from_ns(5)};
    REQUIRE(store->add_pipeline(pipeline, version("V1", "train", 5)).ok());
    ExperimentRecord experiment{"E", "Default", "d", true, from_ns(7), from_ns(8)};
    REQUIRE(store->add_experiment(experiment).ok());
    RecurringRecord recurring;
    recurring.id = "R";
    recurring.name = "nightly";
    recurring.max_concurrency = 3;
    recurring.enabled = true;
    REQUIRE(store->add_recurring(recurring).ok());
    CHECK(open_pipeline_store(path).error().kind == ErrorKind::Conflict);
    store.reset();
    auto again = open_pipeline_store(path);
    REQUIRE(again.ok());
    const auto read = (*again)->pipeline("P");
    REQUIRE(read.ok());
    CHECK(read->display_name == "Train");
    CHECK(read->team == "ads");
    CHECK(read->tags_json == R"({"a":"b"})");
    CHECK(read->created == from_ns(5));
    CHECK((*again)->experiment("E")->archived);
    CHECK((*again)->experiment("E")->last_run == from_ns(8));
    CHECK((*again)->recurring("R")->max_concurrency == 3);
    CHECK((*again)->recurring("R")->enabled);
}

TEST_CASE("a file of another kind is left alone") {
    const Folder folder;
    const auto path = folder.path + "/other.db";
    {
        auto* file = std::fopen(path.c_str(), "w");
        REQUIRE(file != nullptr);
        std::fputs("this is no database at all, and long enough to be looked at", file);
        std::fclose(file);
    }
    CHECK(!open_pipeline_store(path).ok());
}
