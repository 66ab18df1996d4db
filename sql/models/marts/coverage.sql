-- Grain: one row per tenant and source.
select
  tenant_id,
  tenant_name,
  table_name,
  state,
  reason,
  observed_at,
  observed_through,
  logical_date,
  row_count as rows,
  coalesce(snapshot_date = newest_run_date, false) as is_current,
  is_optional,
  is_measured,
  cast(date_diff('day', observed_through, newest_run_date) as integer) as days_behind
from {{ ref('int_coverage') }}
