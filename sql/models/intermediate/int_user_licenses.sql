-- Grain: one row per user, SKU and service of the tenant's current snapshot, failed assignments too.
{{ config(materialized='view') }}
select
  l.tenant_id,
  l.user_id,
  l.sku_id,
  l.service,
  l.holds_seat,
  l.assigned_by,
  l.assigned_by_groups,
  l.assigned_date,
  l.assignment_state,
  l.assignment_error,
  l.disabled_plans,
  l.disabled_plan_ids
from {{ ref('stg_user_licenses') }} as l
join {{ ref('int_coverage') }} as c on c.tenant_id = l.tenant_id and c.logical_date = l.snapshot_date
where c.table_name = 'graph_user_licenses' and c.is_measured
