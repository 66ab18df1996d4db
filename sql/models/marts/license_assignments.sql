-- Grain: one row per user and managed SKU the user holds.
-- A licence is as active as the most active service it entitles.
with rolled_up as (
  select
    tenant_id,
    user_id,
    sku_id,
    min(activity_basis) as activity_basis,
    max(assigned_by) as assigned_by,
    min(assigned_date) as assigned_date,
    max(assignment_error) as assignment_error,
    min_by(last_activity_date, recency) as last_activity_date,
    min_by(service, recency) as last_activity_service,
    min(days_since_last_activity) as days_since_last_activity,
    case
      when bool_or(activity_status = 'active') then 'active'
      when bool_or(activity_status = 'inactive') then 'inactive'
      when bool_or(activity_status = 'too_new') then 'too_new'
      when bool_or(activity_status = 'never_active') then 'never_active'
      else 'not_measurable'
    end as activity_status,
    case
      when bool_and(evidence = 'complete') then 'complete'
      when bool_and(evidence = 'none') then 'none'
      else 'partial'
    end as evidence
  from {{ ref('int_license_activity') }}
  group by 1, 2, 3
)

select
  l.tenant_id,
  l.user_id,
  l.sku_id,
  k.sku_part_number,
  k.product_name,
  l.assigned_by,
  l.assignment_error,
  l.assigned_date,
  l.last_activity_date,
  l.last_activity_service,
  l.days_since_last_activity,
  l.activity_status,
  l.activity_basis,
  l.evidence,
  u.account_enabled,
  u.is_guest
from rolled_up as l
join {{ ref('int_skus') }} as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
left join {{ ref('int_users') }} as u on u.tenant_id = l.tenant_id and u.user_id = l.user_id
