#include "lookups.hpp"

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

#include "json.hpp"
#include "query.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t entries_max = 10'000;
/// Experiments change seldom; one that was deleted shows in CreateRun's answer.
constexpr int experiments_kept = 30;
constexpr auto names_kept = std::chrono::minutes(10);

template <class T>
Found<T> refused(std::string reason) {
    Found<T> found;
    found.refused = true;
    found.reason = std::move(reason);
    return found;
}

/// An answer that is not what was looked for.
template <class T>
Found<T> failed(const Answer& answer) {
    Found<T> found;
    found.refused = after_read(answer.kind) == ReadNext::Refuse;
    found.reason = answer.reason;
    found.retry_after = answer.retry_after;
    return found;
}

template <class T>
Found<T> unreadable(const std::string& what) {
    Found<T> found;
    found.reason = what + ": the answer is none of a KFP server; is the backend's url right?";
    return found;
}

std::string in_quotes(const std::string& name) {
    return "\"" + printable(name, 140) + "\"";
}

/// A name that arrives as it is where it stands in a path. Servers and what stands before them take apart
/// what they decoded: / ends a part of it, : begins a verb, dots go up, and some decode twice.
bool fits_path(const std::string& name) {
    return name != "." && name != ".." && name.find_first_of("/\\:%") == std::string::npos;
}

/// A pipeline that was found as `name`, if this team may use it: shared ones are of no namespace.
Found<Pipeline> allowed(const View& view, Pipeline pipeline, const std::string& name) {
    const std::string& of = pipeline.namespace_;
    if (!of.empty() && of != view.namespace_)
        return refused<Pipeline>("the pipeline " + in_quotes(name) + " belongs to the namespace " +
                                 in_quotes(of) + ", not to the team's");
    Found<Pipeline> found;
    found.value = std::move(pipeline);
    return found;
}

Found<Pipeline> no_pipeline(const std::string& name) {
    return refused<Pipeline>("the server has no pipeline " + in_quotes(name) +
                             "; has it been deleted? Upload it, or mend `pipeline:`");
}

std::string key_of(const View& view, const std::string& name) {
    return view.user + '\n' + view.namespace_ + '\n' + name;
}

} // namespace

Lookups::Lookups(const Clock& clock, const KubeflowOptions& options, Client& client, Timers& timers)
    : clock_(clock), options_(options), client_(client), timers_(timers) {}

void Lookups::read(const View& view, std::string what, std::string path, std::function<void(Answer)> done) {
    Call call;
    call.what = std::move(what);
    call.path = std::move(path);
    call.user = view.user;
    client_.call(std::move(call), std::move(done));
}

template <class T>
void Lookups::cached(Cache<T>& cache, const std::string& key, Duration keep,
                     std::function<void(Found<T>)> done,
                     const std::function<void(std::function<void(Found<T>)>)>& ask) {
    const auto now = clock_.steady_now();
    if (cache.size() > entries_max)
        std::erase_if(cache, [&](const auto& one) { return !one.second.asking && one.second.until <= now; });
    Entry<T>& entry = cache[key];
    if (!entry.asking && entry.until > now) {
        timers_.at(now, [done = std::move(done), found = entry.found] { done(found); });
        return;
    }
    entry.waiting.push_back(std::move(done));
    if (entry.asking) return;
    entry.asking = true;
    ask([this, &cache, key, keep](Found<T> found) {
        Entry<T>& asked = cache[key];
        asked.asking = false;
        // What failed is asked again by whoever wants it next.
        bool keeps = found.value.has_value();
        if constexpr (std::is_same_v<T, Experiment>) keeps = keeps && !found.value->archived;
        asked.until = keeps ? clock_.steady_now() + keep : SteadyInstant{};
        asked.found = found;
        for (auto& one : std::exchange(asked.waiting, {}))
            one(found);
    });
}

void Lookups::forget() {
    for (auto& [key, entry] : pipelines_)
        entry.until = {};
    for (auto& [key, entry] : versions_)
        entry.until = {};
    for (auto& [key, entry] : experiments_)
        entry.until = {};
}

// --- pipelines

void Lookups::pipeline(const View& view, const std::string& name_or_id,
                       std::function<void(Found<Pipeline>)> done) {
    cached<Pipeline>(
        pipelines_, key_of(view, name_or_id), options_.timeouts.resolve_cache, std::move(done),
        [&](std::function<void(Found<Pipeline>)> tell) {
            if (!looks_like_id(name_or_id)) return pipeline_by_name(view, name_or_id, view.namespace_, tell);
            read(view, "the pipeline " + in_quotes(name_or_id), "/pipelines/" + percent_encode(name_or_id),
                 [this, view, name_or_id, tell](const Answer& answer) {
                     // A name may look like an id.
                     if (after_read(answer.kind) == ReadNext::Missing)
                         return pipeline_by_name(view, name_or_id, view.namespace_, tell);
                     if (!answer.good()) return tell(failed<Pipeline>(answer));
                     const auto document = Document::parse(answer.body);
                     if (!document.ok() || text_of(document->root(), "pipeline_id").empty())
                         return tell(unreadable<Pipeline>("the pipeline " + in_quotes(name_or_id)));
                     const Element root = document->root();
                     Pipeline pipeline{std::string(text_of(root, "pipeline_id")),
                                       std::string(text_of(root, "display_name")),
                                       std::string(text_of(root, "namespace"))};
                     tell(allowed(view, std::move(pipeline), name_or_id));
                 });
        });
}

void Lookups::pipeline_by_name(const View& view, const std::string& name, const std::string& in,
                               std::function<void(Found<Pipeline>)> done) {
    if (!fits_path(name)) return pipelines_by(view, name, in, "name", std::move(done));
    Query query;
    query.add("namespace", in);
    read(view, "the pipeline " + in_quotes(name), "/pipelines/names/" + percent_encode(name) + query.text(),
         [this, view, name, in, done = std::move(done)](const Answer& answer) {
             if (after_read(answer.kind) == ReadNext::Missing) {
                 // A shared one is of no namespace.
                 if (!in.empty()) return pipeline_by_name(view, name, "", done);
                 return done(no_pipeline(name));
             }
             if (!answer.good()) return done(failed<Pipeline>(answer));
             const auto document = Document::parse(answer.body);
             if (!document.ok() || text_of(document->root(), "pipeline_id").empty())
                 return done(unreadable<Pipeline>("the pipeline " + in_quotes(name)));
             const Element root = document->root();
             done(allowed(
                 view,
                 {std::string(text_of(root, "pipeline_id")), name, std::string(text_of(root, "namespace"))},
                 name));
         });
}

/// By a filter, where the name cannot stand in a path.
void Lookups::pipelines_by(const View& view, const std::string& name, const std::string& in,
                           const std::string& key, std::function<void(Found<Pipeline>)> done) {
    Query query;
    query.add("page_size", "200").add("namespace", in);
    query.filter(Filter().equals(key, name).json());
    read(view, "the pipeline " + in_quotes(name), "/pipelines" + query.text(),
         [this, view, name, in, key, done = std::move(done)](const Answer& answer) {
             // Older servers know a pipeline by its display name only.
             if (answer.kind == Kind::BadRequest && key == "name")
                 return pipelines_by(view, name, in, "display_name", done);
             if (!answer.good()) return done(failed<Pipeline>(answer));
             const auto document = Document::parse(answer.body);
             if (!document.ok()) return done(unreadable<Pipeline>("the pipeline " + in_quotes(name)));
             if (const auto list = list_of(document->root(), "pipelines"))
                 for (const Element one : *list) {
                     std::string_view named = text_of(one, "name");
                     if (named.empty()) named = text_of(one, "display_name");
                     // The database may compare without regard to case.
                     if (named != name) continue;
                     return done(allowed(view,
                                         {std::string(text_of(one, "pipeline_id")), name,
                                          std::string(text_of(one, "namespace"))},
                                         name));
                 }
             if (!in.empty()) return pipelines_by(view, name, "", "name", done);
             done(no_pipeline(name));
         });
}

void Lookups::pipeline_name(const View& view, const std::string& id,
                            std::function<void(Found<std::string>)> done) {
    cached<std::string>(names_, key_of(view, id), names_kept, std::move(done),
                        [&](std::function<void(Found<std::string>)> tell) {
                            read(view, "the pipeline " + in_quotes(id), "/pipelines/" + percent_encode(id),
                                 [tell](const Answer& answer) {
                                     Found<std::string> found;
                                     const bool gone = after_read(answer.kind) == ReadNext::Missing ||
                                                       after_read(answer.kind) == ReadNext::Refuse;
                                     if (!answer.good() && !gone) return tell(failed<std::string>(answer));
                                     const auto document =
                                         Document::parse(answer.good() ? answer.body : "{}");
                                     std::string name;
                                     if (document.ok()) {
                                         name = text_of(document->root(), "name");
                                         if (name.empty()) name = text_of(document->root(), "display_name");
                                     }
                                     found.value = name;
                                     tell(found);
                                 });
                        });
}

// --- versions

Found<Version> Lookups::version_of(Element version) {
    Found<Version> found;
    Version made;
    made.id = text_of(version, "pipeline_version_id");
    made.name = text_of(version, "name");
    if (made.name.empty()) made.name = text_of(version, "display_name");
    if (made.id.empty()) return unreadable<Version>("a version of the pipeline");
    if (const auto known = specs_.find(made.id); known != specs_.end()) {
        made.spec = known->second;
    } else {
        const auto given = member(version, "pipeline_spec");
        auto spec = given ? read_spec(*given) : Result<SpecView>(unsupported("it holds no pipeline"));
        if (!spec.ok())
            return refused<Version>("the version " + in_quotes(made.name) +
                                    " of the pipeline cannot be launched: " + spec.error().message);
        if (specs_.size() >= entries_max) specs_.clear();
        made.spec = std::make_shared<const SpecView>(std::move(*spec));
        specs_.emplace(made.id, made.spec);
    }
    found.value = std::move(made);
    return found;
}

void Lookups::version(const View& view, const Pipeline& pipeline, const std::string& wanted,
                      std::function<void(Found<Version>)> done) {
    const std::string latest = "latest";
    const std::string want = wanted.empty() ? latest : wanted;
    cached<Version>(versions_, key_of(view, pipeline.id + "\n" + want), options_.timeouts.resolve_cache,
                    std::move(done), [&](std::function<void(Found<Version>)> tell) {
                        const std::string path = "/pipelines/" + percent_encode(pipeline.id) + "/versions";
                        if (want == latest) {
                            Query query;
                            query.add("page_size", "1").add("sort_by", "created_at desc");
                            return read(
                                view, "the versions of the pipeline " + in_quotes(pipeline.name),
                                path + query.text(), [this, pipeline, tell](const Answer& answer) {
                                    const auto document = Document::parse(answer.good() ? answer.body : "{}");
                                    if (!answer.good() && after_read(answer.kind) != ReadNext::Missing)
                                        return tell(failed<Version>(answer));
                                    if (document.ok())
                                        if (const auto list = list_of(document->root(), "pipeline_versions"))
                                            for (const Element one : *list)
                                                return tell(version_of(one));
                                    tell(refused<Version>("the pipeline " + in_quotes(pipeline.name) +
                                                          " has no version; upload one"));
                                });
                        }
                        if (!looks_like_id(want))
                            return versions_by(view, pipeline, want, "display_name", tell);
                        read(view, "the version " + in_quotes(want), path + "/" + percent_encode(want),
                             [this, view, pipeline, want, tell](const Answer& answer) {
                                 if (after_read(answer.kind) == ReadNext::Missing)
                                     return versions_by(view, pipeline, want, "display_name", tell);
                                 if (!answer.good()) return tell(failed<Version>(answer));
                                 const auto document = Document::parse(answer.body);
                                 if (!document.ok())
                                     return tell(unreadable<Version>("the version " + in_quotes(want)));
                                 // The server does not look at the pipeline in the path.
                                 if (text_of(document->root(), "pipeline_id") != pipeline.id)
                                     return tell(refused<Version>("the version " + in_quotes(want) +
                                                                  " is of another pipeline than " +
                                                                  in_quotes(pipeline.name)));
                                 tell(version_of(document->root()));
                             });
                    });
}

void Lookups::versions_by(const View& view, const Pipeline& pipeline, const std::string& wanted,
                          const std::string& key, std::function<void(Found<Version>)> done) {
    Query query;
    query.add("page_size", "200").add("sort_by", "created_at desc");
    query.filter(Filter().equals(key, wanted).json());
    read(view, "the versions of the pipeline " + in_quotes(pipeline.name),
         "/pipelines/" + percent_encode(pipeline.id) + "/versions" + query.text(),
         [this, view, pipeline, wanted, key, done = std::move(done)](const Answer& answer) {
             const bool missing = after_read(answer.kind) == ReadNext::Missing;
             // Older servers know one of the two names of a version only.
             const bool unknown_key = answer.kind == Kind::BadRequest && key == "display_name";
             if (!answer.good() && !missing && !unknown_key) return done(failed<Version>(answer));
             const auto document = Document::parse(answer.good() ? answer.body : "{}");
             if (document.ok())
                 if (const auto list = list_of(document->root(), "pipeline_versions"))
                     for (const Element one : *list)
                         // The database may compare without regard to case.
                         if (text_of(one, "name") == wanted || text_of(one, "display_name") == wanted)
                             return done(version_of(one));
             if (key == "display_name") return versions_by(view, pipeline, wanted, "name", done);
             done(refused<Version>("the pipeline " + in_quotes(pipeline.name) + " has no version " +
                                   in_quotes(wanted)));
         });
}

// --- experiments

void Lookups::experiment(const View& view, const std::string& name, bool make,
                         std::function<void(Found<Experiment>)> done) {
    cached<Experiment>(
        experiments_, key_of(view, name), options_.timeouts.resolve_cache * experiments_kept, std::move(done),
        [&](std::function<void(Found<Experiment>)> tell) {
            Query query;
            query.add("page_size", "200").add("namespace", view.namespace_);
            query.filter(Filter().equals("display_name", name).json());
            read(view, "the experiment " + in_quotes(name), "/experiments" + query.text(),
                 [this, view, name, make, tell](const Answer& answer) {
                     if (!answer.good()) return tell(failed<Experiment>(answer));
                     const auto document = Document::parse(answer.body);
                     if (!document.ok())
                         return tell(unreadable<Experiment>("the experiment " + in_quotes(name)));
                     if (const auto list = list_of(document->root(), "experiments"))
                         for (const Element one : *list) {
                             if (text_of(one, "display_name") != name) continue;
                             Found<Experiment> found;
                             found.value = Experiment{std::string(text_of(one, "experiment_id")), name,
                                                      text_of(one, "storage_state") == "ARCHIVED"};
                             return tell(found);
                         }
                     if (make) return make_experiment(view, name, tell);
                     Found<Experiment> none;
                     none.reason = "there is no experiment " + in_quotes(name) + " yet";
                     tell(none);
                 });
        });
}

void Lookups::make_experiment(const View& view, const std::string& name,
                              std::function<void(Found<Experiment>)> done) {
    Call call;
    call.what = "making the experiment " + in_quotes(name);
    call.method = "POST";
    call.path = "/experiments";
    call.user = view.user;
    call.body = "{\"display_name\":" + json_string(name);
    if (!view.namespace_.empty()) call.body += ",\"namespace\":" + json_string(view.namespace_);
    call.body += "}";
    client_.call(std::move(call), [name, done = std::move(done)](const Answer& answer) {
        Found<Experiment> found;
        if (answer.kind == Kind::Conflict) {
            // Somebody else made it, or an earlier request of ours whose reply was lost: asked for again.
            found.reason = answer.reason;
            return done(found);
        }
        if (!answer.good()) return done(failed<Experiment>(answer));
        const auto document = Document::parse(answer.body);
        const std::string id(document.ok() ? text_of(document->root(), "experiment_id") : "");
        if (id.empty()) return done(unreadable<Experiment>("the experiment " + in_quotes(name)));
        found.value = Experiment{id, name, false};
        done(found);
    });
}

} // namespace weir::flows::kubeflow
