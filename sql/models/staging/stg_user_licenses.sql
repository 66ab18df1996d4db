-- Grain: one row per tenant, snapshot date, user, SKU and service; a null service for a SKU that entitles none of the eleven.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(user_id as varchar) as user_id,
  cast(sku_id as varchar) as sku_id,
  service,
  holds_seat,
  assigned_by,
  case when assigned_by <> 'direct' then nullif(array_join(assigned_by_groups, ','), '') end as assigned_by_groups,
  cast(assigned_date_time as date) as assigned_date,
  assignment_state,
  assignment_error,
  disabled_plans,
  disabled_plan_ids
from {{ source('lake', 'graph_user_licenses') }}
