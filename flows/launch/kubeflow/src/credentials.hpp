#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/flows/kubeflow/options.hpp>

#include "http.hpp"

namespace weir::flows::kubeflow {

/// Who the backend says it is: bearer tokens (given, from a file, from OAuth 2.0), the user's header, further
/// headers and cookies. Thread: the backend's.
class Credentials {
  public:
    Credentials(const Clock& clock, const KubeflowOptions& options, Http& http);

    /// Calls back with the headers of a request of `user`, or with a fault if there is no token. At once
    /// unless a token has to be fetched.
    void headers(const std::string& user,
                 std::function<void(std::vector<std::string>, std::string fault)> use);
    /// The last token was not accepted: looks for another one. True if there may be one.
    bool renew();

  private:
    using Use = std::function<void(std::string fault)>;
    void read_file_if_changed(bool anyhow);
    void fetch();
    void fetched(HttpReply reply);
    [[nodiscard]] std::vector<std::string> build(const std::string& user) const;

    const Clock& clock_;
    const KubeflowOptions& options_;
    Http& http_;
    std::string token_;
    std::string fault_;
    std::filesystem::file_time_type file_time_{};
    SteadyInstant file_looked_{};
    SteadyInstant expires_{};
    bool fetching_ = false;
    std::vector<Use> waiting_;
};

} // namespace weir::flows::kubeflow
