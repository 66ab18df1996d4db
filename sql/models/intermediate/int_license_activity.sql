-- Grain: one row per held managed licence (user x SKU) and service it entitles; one row with a null service for a licence
-- that entitles none of the eleven and is judged by the user's sign-in.
with thresholds as (
  select
    scope,
    lower(sku_id) as sku_id,
    service,
    threshold_days,
    grace_days
  from {{ ref('activity_thresholds') }}
),

licenses as (
  select
    l.*,
    coalesce(of_sku.threshold_days, of_part.threshold_days, of_service.threshold_days, of_all.threshold_days) as threshold_days,
    coalesce(of_sku.grace_days, of_part.grace_days, of_service.grace_days, of_all.grace_days) as grace_days
  from {{ ref('int_user_licenses') }} as l
  join {{ ref('int_skus') }} as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
  join thresholds as of_all on of_all.scope = 'default'
  left join thresholds as of_sku on of_sku.scope = 'sku' and of_sku.sku_id = l.sku_id
  left join thresholds as of_part on of_part.scope = 'sku' and of_part.sku_id = lower(k.sku_part_number)
  left join thresholds as of_service on of_service.scope = 'service' and of_service.service = l.service
  where l.holds_seat and k.is_managed
),

sources as (
  select
    l.*,
    'service' as activity_basis,
    case when c.is_measured then 'complete' else 'none' end as evidence,
    c.observed_through,
    a.last_activity_date as seen_date,
    a.recency
  from licenses as l
  left join {{ ref('int_service_coverage') }} as c on c.tenant_id = l.tenant_id and c.service = l.service
  left join {{ ref('int_service_last_activity') }} as a
    on a.tenant_id = l.tenant_id and a.user_id = l.user_id and a.service = l.service
  where l.service is not null
  union all
  select
    l.*,
    'sign_in' as activity_basis,
    coalesce(u.sign_in_evidence, 'none') as evidence,
    u.sign_in_observed_through as observed_through,
    cast(u.last_sign_in_at as date) as seen_date,
    cast(0 as bigint) as recency
  from licenses as l
  left join {{ ref('int_users') }} as u on u.tenant_id = l.tenant_id and u.user_id = l.user_id
  where l.service is null
),

-- Activity before the licence was assigned says nothing about the licence.
counted as (
  select
    s.*,
    case when assigned_date is null or seen_date >= assigned_date then seen_date end as last_activity_date,
    case when assigned_date is null or seen_date >= assigned_date then recency end as counted_recency
  from sources as s
),

aged as (
  select
    c.*,
    case
      when last_activity_date is not null
        then greatest(cast(date_diff('day', last_activity_date, observed_through) as integer), 0)
    end as days_since_last_activity
  from counted as c
)

select
  tenant_id,
  user_id,
  sku_id,
  service,
  activity_basis,
  evidence,
  assigned_by,
  assigned_date,
  assignment_error,
  observed_through,
  last_activity_date,
  days_since_last_activity,
  counted_recency as recency,
  threshold_days,
  grace_days,
  case
    when evidence = 'none' then 'not_measurable'
    when days_since_last_activity <= threshold_days then 'active'
    when days_since_last_activity is not null then 'inactive'
    when date_diff('day', assigned_date, observed_through) < grace_days then 'too_new'
    else 'never_active'
  end as activity_status
from aged
