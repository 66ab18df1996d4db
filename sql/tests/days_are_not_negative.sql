-- Nobody was active after the day up to which activity was observed.
select 'users' as mart, tenant_id, user_id, days_since_last_activity
from {{ ref('users') }}
where days_since_last_activity < 0
union all
select 'service_activity', tenant_id, user_id, days_since_last_activity
from {{ ref('service_activity') }}
where days_since_last_activity < 0
union all
select 'license_assignments', tenant_id, user_id, days_since_last_activity
from {{ ref('license_assignments') }}
where days_since_last_activity < 0
