"""Rows as the API shows them: zeros left out, 64-bit numbers as text, 1970 for what has not happened."""

from . import clock, jsonio


def without_zeros(answer):
    return {key: value for key, value in answer.items() if value not in (None, "", [], 0) and value is not False}


def reference(pipeline_id, version_id):
    found = without_zeros({"pipeline_id": pipeline_id, "pipeline_version_id": version_id})
    return found or None


def runtime(row):
    found = {}
    if row.parameters:
        found["parameters"] = {name: jsonio.shown(row.parameters[name]) for name in sorted(row.parameters)}
    if row.pipeline_root:
        found["pipeline_root"] = row.pipeline_root
    return found or None


def history(entries):
    return [without_zeros({"update_time": clock.show(when), "state": state}) for when, state in entries]


def task_details(row):
    details = []
    for node in row.nodes:
        details.append(
            without_zeros(
                {
                    "run_id": row.run_id, "task_id": node["id"], "display_name": node["name"],
                    "create_time": clock.show(row.created), "start_time": clock.show(node["started"]),
                    "end_time": clock.show(node["finished"]), "state": node["state"],
                    "state_history": history([(row.history[-1][0], node["state"])]),
                    "child_tasks": [{"pod_name": child} for child in node["children"]],
                }
            )
        )  # fmt: skip
    return {"task_details": details} if details else None


def run(row, full=False):
    answer = {
        "experiment_id": row.experiment_id, "run_id": row.run_id, "display_name": row.display_name,
        "storage_state": row.storage_state, "description": row.description, "pipeline_spec": row.inline,
        "pipeline_version_reference": None if row.inline else reference(row.pipeline_id, row.version_id),
        "runtime_config": runtime(row), "service_account": row.service_account, "created_at": clock.show(row.created),
        "scheduled_at": clock.show(row.scheduled), "finished_at": clock.show(row.finished), "state": row.state,
        "run_details": task_details(row), "recurring_run_id": row.recurring_run_id, "state_history": history(row.history),
        "plugins_input": jsonio.shown(row.plugins_input) if row.plugins_input else None,
    }  # fmt: skip
    answer = without_zeros(answer)
    if full and row.tasks:
        answer["task_count"] = len(row.tasks)
        answer["tasks"] = row.tasks
    return answer


def experiment(row):
    return without_zeros(
        {
            "experiment_id": row.experiment_id, "display_name": row.display_name, "description": row.description,
            "created_at": clock.show(row.created), "namespace": row.namespace, "storage_state": row.storage_state,
            "last_run_created_at": clock.show(row.last_run),
        }
    )  # fmt: skip


def pipeline(row):
    return without_zeros(
        {
            "pipeline_id": row.pipeline_id, "display_name": row.display_name, "name": row.name,
            "description": row.description, "created_at": clock.show(row.created), "namespace": row.namespace,
            "tags": row.tags or None,
        }
    )  # fmt: skip


def version(row):
    return without_zeros(
        {
            "pipeline_id": row.pipeline_id, "pipeline_version_id": row.version_id, "display_name": row.display_name,
            "name": row.name, "description": row.description, "created_at": clock.show(row.created),
            "code_source_url": row.code_source_url, "pipeline_spec": row.template.shown, "tags": row.tags or None,
        }
    )  # fmt: skip


def trigger(given):
    found = {}
    for name in ("cron_schedule", "periodic_schedule"):
        if name in given:
            schedule = given[name]
            found[name] = without_zeros(
                {
                    "start_time": clock.show(schedule["start_time"]) if "start_time" in schedule else None,
                    "end_time": clock.show(schedule["end_time"]) if "end_time" in schedule else None,
                    "cron": schedule.get("cron"),
                    "interval_second": str(schedule["interval_second"]) if "interval_second" in schedule else None,
                }
            )
    return found


def recurring(row, namespace):
    answer = without_zeros(
        {
            "recurring_run_id": row.recurring_run_id, "display_name": row.display_name, "description": row.description,
            "pipeline_spec": row.inline,
            "pipeline_version_reference": None if row.inline else reference(row.pipeline_id, row.version_id),
            "runtime_config": runtime(row), "service_account": row.service_account,
            "max_concurrency": str(row.max_concurrency), "trigger": trigger(row.trigger),
            "mode": "ENABLE" if row.enabled else "DISABLE", "created_at": clock.show(row.created),
            "updated_at": clock.show(row.updated), "status": "ENABLED" if row.enabled else "DISABLED",
            "no_catchup": row.no_catchup, "namespace": namespace, "experiment_id": row.experiment_id,
            "plugins_input": jsonio.shown(row.plugins_input) if row.plugins_input else None,
        }
    )  # fmt: skip
    return answer
