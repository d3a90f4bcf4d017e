#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::support {

/// The scripted Kubeflow Pipelines server (tests/support/kfp/README.md), run by a child process that ends
/// with this object or this process.
///   ScriptedKfp kfp({"--autorun", R"({"enabled":true})"});
///   kfp.upload("train", ir);                            // a pipeline and its first version
///   kfp.post("faults", R"({"do":"close","when":"after","method":"POST","path":"/runs$"})");
/// Thread: one at a time. Errors: std::runtime_error, which fails the test case.
class ScriptedKfp {
  public:
    explicit ScriptedKfp(std::vector<std::string> arguments = {});
    /// `weir dev` in its place: the façade (tests/support/kfp/facade.py). It has no test's side.
    static ScriptedKfp facade(const std::string& weir_program);
    ScriptedKfp(ScriptedKfp&&) noexcept;
    ~ScriptedKfp();
    ScriptedKfp(const ScriptedKfp&) = delete;
    ScriptedKfp& operator=(const ScriptedKfp&) = delete;

    [[nodiscard]] const std::string& url() const;
    [[nodiscard]] int port() const;
    /// The test's side, by name; the answer as JSON.
    std::string get(std::string_view name) const;                         // NOLINT: it asks a server
    std::string post(std::string_view name, std::string_view body) const; // NOLINT
    /// KFP's own API, "/apis/v2beta1/runs"; the answer's body, whatever its status.
    std::string call(std::string_view method, std::string_view path, std::string_view body = {}) const;
    /// Uploads a pipeline; returns the server's answer.
    std::string upload(std::string_view name, std::string_view pipeline) const;
    std::string upload_version(std::string_view pipeline_id, std::string_view name,
                               std::string_view pipeline) const;
    /// Ends the server as a kill would; nothing listens any more.
    void kill();

  private:
    struct Child;
    explicit ScriptedKfp(std::unique_ptr<Child> child);
    std::unique_ptr<Child> child_;
};

} // namespace weir::support
