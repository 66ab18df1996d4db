-- Grain: one row per tenant and stored table, as its newest run recorded it.
select
  cast(tenant_id as varchar) as tenant_id,
  tenant_name,
  table_name,
  state,
  reason,
  observed_at,
  observed_through,
  logical_date,
  row_count,
  run_id,
  snapshot_date
from {{ source('lake', 'table_coverage') }}
