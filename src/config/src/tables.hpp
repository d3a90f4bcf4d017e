#pragma once

#include <weir/base/document_reader.hpp>

/// The tables of the sections, for the readers of this library.
namespace weir::config {

const DocumentTable& listen_table();
const DocumentTable& auth_table();
const DocumentTable& ledger_table();
const DocumentTable& local_table();
const DocumentTable& null_table();
const DocumentTable& kubeflow_table();
const DocumentTable& kubeflow_place_table();
/// "tls", "oauth2", "limits", "timeouts" or "watch" of a Kubeflow backend.
const DocumentTable& kubeflow_section(std::string_view name);
const DocumentTable& binding_table();
const DocumentTable& team_table();
const DocumentTable& folder_table();
const DocumentTable& limits_table();

const DocumentTable& embedded_table();
const DocumentTable& nats_table();
const DocumentTable& nats_stream_table();
const DocumentTable& nats_create_table();
const DocumentTable& kafka_table();
const DocumentTable& kafka_topic_table();
const DocumentTable& kafka_create_table();
const DocumentTable& tls_table();
const DocumentTable& mapping_table();

/// A field by its parts, for the tables.
Field field_later(std::string_view name);
Field field_section(std::string_view name, FieldType type, const DocumentTable& table, std::string_view doc);
Field field_word(std::string_view name, std::vector<std::string_view> words, std::string_view doc);
Field field_whole(std::string_view name, std::int64_t minimum, std::int64_t maximum, std::string_view doc);
Field field_required(Field field);

} // namespace weir::config
