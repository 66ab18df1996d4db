-- Grain: one row per user of the current snapshot and service that was ever seen used, by the sources that are measured.
with joined as (
  select
    u.tenant_id,
    u.user_id,
    r.exchange_last_activity_date,
    r.onedrive_last_activity_date,
    r.sharepoint_last_activity_date,
    r.skype_for_business_last_activity_date,
    r.yammer_last_activity_date,
    r.teams_last_activity_date,
    r.outlook_last_activity_date
  from {{ ref('int_users') }} as u
  join {{ ref('int_report_activity') }} as r on r.tenant_id = u.tenant_id and r.upn_key = u.upn_key
),

activity as (
  select tenant_id, user_id, 'Microsoft Exchange Server' as service, exchange_last_activity_date as last_activity_date from joined
  union all
  select tenant_id, user_id, 'OneDrive', onedrive_last_activity_date from joined
  union all
  select tenant_id, user_id, 'SharePoint', sharepoint_last_activity_date from joined
  union all
  select tenant_id, user_id, 'Skype for Business', skype_for_business_last_activity_date from joined
  union all
  select tenant_id, user_id, 'Yammer', yammer_last_activity_date from joined
  union all
  select tenant_id, user_id, 'Microsoft Teams', teams_last_activity_date from joined
  union all
  select tenant_id, user_id, 'Outlook', outlook_last_activity_date from joined
  union all
  select u.tenant_id, u.user_id, s.service, cast(s.last_counted_at as date)
  from {{ ref('int_users') }} as u
  join {{ ref('int_sign_ins') }} as s on s.tenant_id = u.tenant_id and s.user_id = u.user_id
  join {{ ref('int_service_coverage') }} as c on c.tenant_id = s.tenant_id and c.service = s.service
  where c.is_measured
),

aged as (
  select
    a.tenant_id,
    a.user_id,
    a.service,
    c.position,
    a.last_activity_date,
    greatest(cast(date_diff('day', a.last_activity_date, c.observed_through) as integer), 0) as days_since_last_activity
  from activity as a
  join {{ ref('int_service_coverage') }} as c on c.tenant_id = a.tenant_id and c.service = a.service
  where a.last_activity_date is not null
)

select
  tenant_id,
  user_id,
  service,
  last_activity_date,
  days_since_last_activity,
  -- One number to find a user's latest service by: fewer days first, then the later day, then the order of the eleven.
  cast(days_since_last_activity as bigint) * 100000000
    + (999999 - date_diff('day', date '1970-01-01', last_activity_date)) * 100
    + position as recency
from aged
