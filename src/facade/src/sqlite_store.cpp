#include <algorithm>
#include <initializer_list>
#include <mutex>
#include <variant>

#include <weir/base/text.hpp>
#include <weir/facade/pipeline_store.hpp>

#include "database.hpp"
#include "record_json.hpp"

namespace weir::facade {
namespace {

namespace sqlite = events::sqlite;

constexpr std::int64_t things_max = 10'000;

// Names and ids are blobs, so that they compare byte by byte; a column has its name in lower case (ASCII),
// the body as it was given. A body of before has no name, and its column has it as it was given: both are
// looked for.
constexpr sqlite::FileKind file_kind{
    "pipeline store", 0x57504c31 /* "WPL1" */, 1,
    "CREATE TABLE pipeline(id BLOB PRIMARY KEY, name BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE version(id BLOB PRIMARY KEY, pipeline BLOB NOT NULL, name BLOB NOT NULL,"
    " created INTEGER NOT NULL, body BLOB NOT NULL, text BLOB NOT NULL, UNIQUE(pipeline, name)) STRICT;"
    "CREATE INDEX version_newest ON version(pipeline, created);"
    "CREATE TABLE experiment(id BLOB PRIMARY KEY, name BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE run(id BLOB PRIMARY KEY, shown BLOB NOT NULL UNIQUE, body BLOB NOT NULL,"
    " spec BLOB NOT NULL, parameters BLOB NOT NULL) STRICT;"
    "CREATE TABLE recurring(id BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT;"};

using Value = std::variant<std::int64_t, std::string>;

std::string folded(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

std::string text_at(const sqlite::Statement& row, int column) {
    return std::string(row.bytes(column));
}

Status read_row(const sqlite::Statement& row, PipelineRecord& record) {
    record.id = text_at(row, 0);
    record.name = text_at(row, 1);
    return read_body(row.bytes(2), record);
}

Status read_row(const sqlite::Statement& row, VersionRecord& record) {
    record.id = text_at(row, 0);
    record.pipeline = text_at(row, 1);
    record.name = text_at(row, 2);
    record.created = from_ns(row.integer(3));
    record.text = text_at(row, 5);
    return read_body(row.bytes(4), record);
}

Status read_row(const sqlite::Statement& row, ExperimentRecord& record) {
    record.id = text_at(row, 0);
    record.name = text_at(row, 1);
    return read_body(row.bytes(2), record);
}

Status read_row(const sqlite::Statement& row, RunNote& record) {
    WEIR_ASSIGN(id, Uuid::parse(row.bytes(0)));
    record.run = {id};
    record.spec_text = text_at(row, 2);
    record.parameters_json = text_at(row, 3);
    return read_body(row.bytes(1), record);
}

Status read_row(const sqlite::Statement& row, RecurringRecord& record) {
    record.id = text_at(row, 0);
    return read_body(row.bytes(1), record);
}

class SqliteStore final : public PipelineStore {
  public:
    SqliteStore(sqlite::FileLock lock, sqlite::Database database)
        : lock_(std::move(lock)), database_(std::move(database)) {}

    Status add_pipeline(const PipelineRecord& pipeline) override {
        std::lock_guard guard(mutex_);
        return insert_pipeline(pipeline);
    }
    Status add_pipeline(const PipelineRecord& pipeline, const VersionRecord& version) override {
        std::lock_guard guard(mutex_);
        return together([&]() -> Status {
            WEIR_TRY(insert_pipeline(pipeline));
            return insert_version(version);
        });
    }
    Status change_pipeline(const PipelineRecord& pipeline) override {
        return change("UPDATE pipeline SET body=?2 WHERE id=?1", {pipeline.id, body_of(pipeline)},
                      "pipeline");
    }
    Status delete_pipeline(const std::string& id) override {
        std::lock_guard guard(mutex_);
        return together([&]() -> Status {
            WEIR_TRY(run("DELETE FROM version WHERE pipeline=?1", {id}));
            return run("DELETE FROM pipeline WHERE id=?1", {id});
        });
    }
    Result<PipelineRecord> pipeline(const std::string& id) override {
        return one<PipelineRecord>("SELECT id,name,body FROM pipeline WHERE id=?1", {id}, "pipeline");
    }
    Result<PipelineRecord> pipeline_by_name(const std::string& name) override {
        return one<PipelineRecord>("SELECT id,name,body FROM pipeline WHERE name IN(?1,?2)",
                                   {folded(name), name}, "pipeline");
    }
    Result<std::vector<PipelineRecord>> pipelines() override {
        return all<PipelineRecord>("SELECT id,name,body FROM pipeline", {});
    }

    Status add_version(const VersionRecord& version) override {
        std::lock_guard guard(mutex_);
        return insert_version(version);
    }
    Status change_version(const VersionRecord& version) override {
        return change("UPDATE version SET body=?2 WHERE id=?1", {version.id, body_of(version)}, "version");
    }
    Status delete_version(const std::string& id) override {
        return change("DELETE FROM version WHERE id=?1", {id}, "version");
    }
    Result<VersionRecord> version(const std::string& id) override {
        return one<VersionRecord>("SELECT id,pipeline,name,created,body,text FROM version WHERE id=?1", {id},
                                  "version");
    }
    Result<VersionRecord> version_by_name(const std::string& pipeline, const std::string& name) override {
        return one<VersionRecord>(
            "SELECT id,pipeline,name,created,body,text FROM version WHERE pipeline=?1 AND name IN(?2,?3)",
            {pipeline, folded(name), name}, "version");
    }
    Result<VersionRecord> latest_version(const std::string& pipeline) override {
        return one<VersionRecord>(
            "SELECT id,pipeline,name,created,body,text FROM version WHERE pipeline=?1 "
            "ORDER BY created DESC LIMIT 1",
            {pipeline}, "version");
    }
    Result<std::vector<VersionRecord>> versions(const std::string& pipeline) override {
        return all<VersionRecord>("SELECT id,pipeline,name,created,body,x'' FROM version WHERE pipeline=?1",
                                  {pipeline});
    }

    Status add_experiment(const ExperimentRecord& experiment) override {
        std::lock_guard guard(mutex_);
        WEIR_TRY(room("SELECT count(*) FROM experiment", {}, "experiments"));
        WEIR_TRY(unused("SELECT count(*) FROM experiment WHERE name=?1", {experiment.name}));
        return run("INSERT INTO experiment VALUES(?1,?2,?3)",
                   {experiment.id, folded(experiment.name), body_of(experiment)});
    }
    Status change_experiment(const ExperimentRecord& experiment) override {
        return change("UPDATE experiment SET body=?2 WHERE id=?1", {experiment.id, body_of(experiment)},
                      "experiment");
    }
    Status delete_experiment(const std::string& id) override {
        return change("DELETE FROM experiment WHERE id=?1", {id}, "experiment");
    }
    Result<ExperimentRecord> experiment(const std::string& id) override {
        return one<ExperimentRecord>("SELECT id,name,body FROM experiment WHERE id=?1", {id}, "experiment");
    }
    Result<std::vector<ExperimentRecord>> experiments() override {
        return all<ExperimentRecord>("SELECT id,name,body FROM experiment", {});
    }

    Status note_run(const RunNote& note) override {
        std::lock_guard guard(mutex_);
        return run(
            "INSERT INTO run VALUES(?1,?2,?3,?4,?5) ON CONFLICT(id) DO UPDATE SET "
            "shown=excluded.shown,body=excluded.body,spec=excluded.spec,parameters=excluded.parameters",
            {note.run.to_string(), folded(note.shown_id), body_of(note), note.spec_text,
             note.parameters_json});
    }
    Status forget_run(const RunId& id) override {
        return change("DELETE FROM run WHERE id=?1", {id.to_string()}, "run");
    }
    Result<RunNote> run_note(const RunId& id) override {
        return one<RunNote>("SELECT id,body,spec,parameters FROM run WHERE id=?1", {id.to_string()}, "run");
    }
    Result<RunNote> run_note_by_shown_id(const std::string& shown_id) override {
        return one<RunNote>("SELECT id,body,spec,parameters FROM run WHERE shown=?1", {folded(shown_id)},
                            "run");
    }
    Result<std::vector<RunNote>> run_notes() override {
        return all<RunNote>("SELECT id,body,x'',x'' FROM run", {});
    }

    Status add_recurring(const RecurringRecord& recurring) override {
        std::lock_guard guard(mutex_);
        WEIR_TRY(
            room("SELECT count(*) FROM recurring WHERE json_extract(CAST(body AS TEXT),'$.deleted') IS NOT 1",
                 {}, "recurring runs"));
        return run("INSERT INTO recurring VALUES(?1,?2)", {recurring.id, body_of(recurring)});
    }
    Status change_recurring(const RecurringRecord& recurring) override {
        WEIR_TRY(change("UPDATE recurring SET body=?2 WHERE id=?1", {recurring.id, body_of(recurring)},
                        "recurring run"));
        if (!recurring.deleted) return {};
        std::lock_guard guard(mutex_);
        // The newest of those that are only kept for their runs.
        return run(
            "DELETE FROM recurring WHERE rowid IN(SELECT rowid FROM recurring WHERE "
            "json_extract(CAST(body AS TEXT),'$.deleted') ORDER BY rowid DESC LIMIT -1 OFFSET ?1)",
            {things_max});
    }
    Status delete_recurring(const std::string& id) override {
        return change("DELETE FROM recurring WHERE id=?1", {id}, "recurring run");
    }
    Result<RecurringRecord> recurring(const std::string& id) override {
        return one<RecurringRecord>("SELECT id,body FROM recurring WHERE id=?1", {id}, "recurring run");
    }
    Result<std::vector<RecurringRecord>> recurring_runs() override {
        return all<RecurringRecord>("SELECT id,body FROM recurring", {});
    }

  private:
    using Values = std::initializer_list<Value>;

    static void bind(sqlite::Statement& statement, const Values& values) {
        int place = 0;
        for (const auto& value : values) {
            ++place;
            if (const auto* number = std::get_if<std::int64_t>(&value))
                statement.bind(place, *number);
            else
                statement.bind_bytes(place, std::get<std::string>(value));
        }
    }

    /// The values live until the statement is done.
    Status run(std::string_view sql, const Values& values) {
        WEIR_ASSIGN(statement, database_.prepare(sql));
        bind(statement, values);
        auto done = statement.run();
        if (!done.ok() && done.error().kind == ErrorKind::Conflict)
            return conflict("there is one of that name or id already");
        return done;
    }

    Status change(std::string_view sql, const Values& values, std::string_view what) {
        std::lock_guard guard(mutex_);
        WEIR_TRY(run(sql, values));
        WEIR_ASSIGN(changed, database_.number("SELECT changes()"));
        if (changed == 0) return not_found("there is no such " + std::string(what));
        return {};
    }

    template <class Work>
    Status together(Work work) {
        WEIR_TRY(database_.run("BEGIN IMMEDIATE"));
        auto done = work();
        if (done.ok()) done = database_.run("COMMIT");
        if (!done.ok()) database_.roll_back();
        return done;
    }

    Status room(std::string_view sql, const Values& values, std::string_view what) {
        WEIR_ASSIGN(statement, database_.prepare(sql));
        bind(statement, values);
        WEIR_ASSIGN(row, statement.step());
        if (row && statement.integer(0) >= things_max)
            return exhausted("there are " + std::to_string(things_max) + " " + std::string(what) +
                             " already: delete some");
        return {};
    }

    /// A name that stands in its column as it was given.
    Status unused(std::string_view sql, const Values& values) {
        WEIR_ASSIGN(statement, database_.prepare(sql));
        bind(statement, values);
        WEIR_ASSIGN(row, statement.step());
        if (row && statement.integer(0) > 0) return conflict("the name is taken");
        return {};
    }

    Status insert_pipeline(const PipelineRecord& pipeline) {
        WEIR_TRY(room("SELECT count(*) FROM pipeline", {}, "pipelines"));
        WEIR_TRY(unused("SELECT count(*) FROM pipeline WHERE name=?1", {pipeline.name}));
        return run("INSERT INTO pipeline VALUES(?1,?2,?3)",
                   {pipeline.id, folded(pipeline.name), body_of(pipeline)});
    }

    Status insert_version(const VersionRecord& version) {
        WEIR_TRY(room("SELECT count(*) FROM version WHERE pipeline=?1", {version.pipeline}, "versions"));
        WEIR_TRY(unused("SELECT count(*) FROM version WHERE pipeline=?1 AND name=?2",
                        {version.pipeline, version.name}));
        return run("INSERT INTO version VALUES(?1,?2,?3,?4,?5,?6)",
                   {version.id, version.pipeline, folded(version.name), to_ns(version.created),
                    body_of(version), version.text});
    }

    template <class Record>
    Result<std::vector<Record>> all(std::string_view sql, const Values& values) {
        std::lock_guard guard(mutex_);
        WEIR_ASSIGN(statement, database_.prepare(sql));
        bind(statement, values);
        std::vector<Record> records;
        for (;;) {
            WEIR_ASSIGN(row, statement.step());
            if (!row) return records;
            Record record;
            WEIR_TRY(read_row(statement, record));
            records.push_back(std::move(record));
        }
    }

    template <class Record>
    Result<Record> one(std::string_view sql, const Values& values, std::string_view what) {
        auto found = all<Record>(sql, values);
        if (!found.ok()) return found.error();
        if (found->empty()) return not_found("there is no such " + std::string(what));
        return std::move(found->front());
    }

    std::mutex mutex_;
    sqlite::FileLock lock_;
    sqlite::Database database_;
};

} // namespace

Result<std::unique_ptr<PipelineStore>> open_pipeline_store(const std::string& path) {
    auto lock = sqlite::FileLock::take(path);
    if (!lock.ok()) return lock.error().in(path);
    auto database = sqlite::open_file(path, file_kind, "");
    if (!database.ok()) return database.error().in(path);
    return std::unique_ptr<PipelineStore>(
        std::make_unique<SqliteStore>(std::move(*lock), std::move(*database)));
}

} // namespace weir::facade
