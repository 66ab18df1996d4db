-- Grain: one row per tenant and day whose users are in the history.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  users,
  licenses,
  marts_version
from {{ source('lake', 'history_days') }}
