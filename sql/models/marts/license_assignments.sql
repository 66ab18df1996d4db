-- Grain: one row per user and managed SKU the user holds.
with ranked as (
  select
    tenant_id,
    user_id,
    sku_id,
    service,
    last_activity_date,
    days_since_last_activity,
    row_number() over (
      partition by tenant_id, user_id, sku_id
      order by days_since_last_activity, last_activity_date desc, position
    ) as rank
  from {{ ref('int_license_activity') }}
  where last_activity_date is not null
),

-- A licence is as active as the most active service it entitles.
rolled_up as (
  select
    tenant_id,
    user_id,
    sku_id,
    min(activity_basis) as activity_basis,
    max(assigned_by) as assigned_by,
    min(assigned_date) as assigned_date,
    max(assignment_error) as assignment_error,
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
  r.last_activity_date,
  r.service as last_activity_service,
  r.days_since_last_activity,
  l.activity_status,
  l.activity_basis,
  l.evidence,
  u.account_enabled,
  u.is_guest
from rolled_up as l
join {{ ref('int_skus') }} as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
left join {{ ref('int_users') }} as u on u.tenant_id = l.tenant_id and u.user_id = l.user_id
left join ranked as r on r.tenant_id = l.tenant_id and r.user_id = l.user_id and r.sku_id = l.sku_id and r.rank = 1
